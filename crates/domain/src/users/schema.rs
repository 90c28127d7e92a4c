//! The schemas that the configuration sets for attributes.

use std::sync::Arc;

use super::Attributes;
use crate::error::FieldError;
use crate::value::Object;

/// A schema for the attributes of users.
pub trait AttributesSchema: Send + Sync {
    /// The violations, at most one for each value, with their paths below `field`. Never quotes a value.
    fn violations(&self, field: &str, attributes: &Object) -> Vec<FieldError>;
}

/// The schemas of the configuration. Stored attributes are not validated until they are written.
#[derive(Clone, Default)]
pub struct AttributesSchemas {
    /// The schema of `attributes`.
    pub attributes: Option<Arc<dyn AttributesSchema>>,
    /// The schema of `app_attributes`.
    pub app_attributes: Option<Arc<dyn AttributesSchema>>,
}

impl AttributesSchemas {
    /// Validates attributes that are about to be written. A user without any satisfies every schema: otherwise a
    /// required attribute would prevent sign-ups, invitations and imports that cannot set it.
    ///
    /// # Errors
    /// Every violation.
    pub fn check(&self, attributes: &Attributes, app_attributes: &Attributes) -> Result<(), Vec<FieldError>> {
        let checks =
            [("attributes", &self.attributes, attributes), ("app_attributes", &self.app_attributes, app_attributes)];
        let violations: Vec<_> = checks
            .into_iter()
            .filter(|(_, _, attributes)| !attributes.as_object().is_empty())
            .filter_map(|(field, schema, attributes)| Some(schema.as_ref()?.violations(field, attributes.as_object())))
            .flatten()
            .collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// Whether `attributes` satisfy their schema.
    #[must_use]
    pub(crate) fn accepts(&self, attributes: &Attributes) -> bool {
        self.check(attributes, &Attributes::default()).is_ok()
    }
}
