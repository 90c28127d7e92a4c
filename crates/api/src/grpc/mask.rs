//! Which fields an update means (AIP-134).

use denizen_domain::error::FieldError;
use prost_types::FieldMask;

/// Which fields of the resource are meant.
pub(super) enum Mask {
    /// Those that are set.
    Set,
    /// All of them: the resource is replaced.
    All,
    /// These.
    Named(Vec<String>),
}

impl Mask {
    /// Reads a mask that may name these fields, or parts of those that end with a dot.
    pub(super) fn read(mask: Option<FieldMask>, known: &[&str]) -> Result<Self, FieldError> {
        let paths = mask.map(|mask| mask.paths).unwrap_or_default();
        if paths.is_empty() {
            return Ok(Self::Set);
        }
        if paths == ["*"] {
            return Ok(Self::All);
        }
        let is_known = |path: &String| {
            known.iter().any(|known| {
                if known.ends_with('.') { path.len() > known.len() && path.starts_with(known) } else { path == known }
            })
        };
        if paths.iter().all(is_known) {
            return Ok(Self::Named(paths));
        }
        let names: Vec<_> = known.iter().filter(|known| !known.ends_with('.')).copied().collect();
        let message = format!("must name only fields that can be updated: {}", names.join(", "));
        Err(FieldError::new("update_mask", "unknown_field", message))
    }

    /// Whether the field is meant, given whether it is set. With [`Mask::All`] it is, and what is not set is nothing.
    pub(super) fn means(&self, field: &str, is_set: bool) -> bool {
        match self {
            Self::Set => is_set,
            Self::All => true,
            Self::Named(paths) => paths.iter().any(|path| path == field),
        }
    }

    /// The same of a field that stays when a replacement does not say it.
    pub(super) fn means_if_said(&self, field: &str, is_set: bool) -> bool {
        match self {
            Self::Set | Self::All => is_set,
            Self::Named(_) => self.means(field, is_set),
        }
    }

    /// The parts of a field that are meant one by one.
    pub(super) fn parts<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let paths = match self {
            Self::Named(paths) => paths.as_slice(),
            Self::Set | Self::All => &[],
        };
        paths.iter().filter_map(move |path| path.strip_prefix(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;
    use prost_types::FieldMask;

    fn read(paths: &[&str]) -> Option<Mask> {
        let paths = paths.iter().map(ToString::to_string).collect();
        Mask::read(Some(FieldMask { paths }), &["name", "attributes", "attributes."]).ok()
    }

    #[test]
    fn what_is_meant_is_told_by_the_mask() {
        let set = read(&[]).unwrap();
        assert!(set.means("name", true) && !set.means("name", false));
        let all = read(&["*"]).unwrap();
        assert!(all.means("name", false) && !all.means_if_said("name", false));
        let named = read(&["attributes.plan", "attributes.a.b", "name"]).unwrap();
        assert!(named.means("name", false) && named.means_if_said("name", false) && !named.means("attributes", true));
        assert_eq!(named.parts("attributes.").collect::<Vec<_>>(), ["plan", "a.b"]);
    }

    #[test]
    fn what_cannot_be_changed_is_refused() {
        for paths in [&["id"][..], &["name", "*"], &["attributes."], &[""], &["name.x"]] {
            assert!(read(paths).is_none(), "{paths:?}");
        }
    }
}
