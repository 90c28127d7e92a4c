//! The macro that declares the configuration keys: for each section a type, and the list of all keys.

/// The names of the sections, in the order of the table.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    let sections = super::table::names().filter_map(|name| name.split_once('.')).map(|(section, _)| section);
    sections.filter(move |&section| std::mem::replace(&mut last, section) != section)
}

/// One key of the table, for the generated documents and the messages.
pub(super) struct Key {
    /// The section and its description.
    pub(super) section: (&'static str, &'static str),
    /// The full key, such as `server.port`.
    pub(super) name: &'static str,
    /// The description of the key.
    pub(super) doc: &'static str,
    /// The default in environment syntax; empty if there is none.
    pub(super) default: &'static str,
    /// The default in TOML syntax.
    pub(super) default_toml: String,
    /// The expected value.
    pub(super) expected: String,
}

/// Declares a section in a file of its own. The table names it at its place.
macro_rules! section {
    ($(#[doc = $section_doc:literal])+ $section:ident: $Section:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $Type:ty = $default:literal, $rule:expr;)+
    }) => {
        $(#[doc = $section_doc])+
        #[derive(Clone)]
        pub struct $Section {
            $($(#[doc = $doc])+ pub $field: $Type,)+
        }

        impl $Section {
            /// The names of the keys.
            pub(super) const NAMES: &[&str] = &[$(concat!(stringify!($section), ".", stringify!($field)),)+];

            pub(super) fn read(layers: &mut Layers) -> Option<Self> {
                $(
                    let rule: Rule<$Type> = $rule;
                    let $field = layers.read(concat!(stringify!($section), ".", stringify!($field)), $default, &rule);
                )+
                Some(Self { $($field: $field?,)+ })
            }

            pub(super) fn keys() -> Vec<Key> {
                let section = (stringify!($section), concat!($($section_doc, "\n"),+));
                vec![$({
                    let rule: Rule<$Type> = $rule;
                    Key {
                        section,
                        name: concat!(stringify!($section), ".", stringify!($field)),
                        doc: concat!($($doc, "\n"),+),
                        default: $default,
                        default_toml: rule.toml($default),
                        expected: rule.expected,
                    }
                }),+]
            }
        }
    };
}

macro_rules! table {
    (
        $($(#[doc = $before_doc:literal])+ $before:ident: $Before:ident { $($before_keys:tt)+ })+
        use $other:ident: $Other:ident;
        $($(#[doc = $after_doc:literal])+ $after:ident: $After:ident { $($after_keys:tt)+ })+
    ) => {
        /// The merged configuration.
        #[derive(Clone)]
        pub struct Config {
            /// The environment.
            pub app_env: AppEnv,
            /// The outside providers, `[providers.NAME]`.
            pub providers: Vec<ProviderConfig>,
            $($(#[doc = $before_doc])+ pub $before: $Before,)+
            #[doc = concat!("The section `", stringify!($other), "`.")]
            pub $other: $Other,
            $($(#[doc = $after_doc])+ pub $after: $After,)+
        }

        impl Config {
            /// Reads every key. `None` if an error was recorded.
            pub(super) fn read(layers: &mut Layers) -> Option<Self> {
                $(let $before = $Before::read(layers);)+
                let $other = $Other::read(layers);
                $(let $after = $After::read(layers);)+
                let providers = layers.read_providers();
                Some(Self {
                    app_env: layers.app_env.clone(),
                    providers,
                    $($before: $before?,)+
                    $other: $other?,
                    $($after: $after?,)+
                })
            }
        }

        $(section! { $(#[doc = $before_doc])+ $before: $Before { $($before_keys)+ } })+
        $(section! { $(#[doc = $after_doc])+ $after: $After { $($after_keys)+ } })+

        /// All keys, in the order of the table.
        pub(super) fn keys() -> Vec<Key> {
            [$($Before::keys(),)+ $Other::keys(), $($After::keys()),+].into_iter().flatten().collect()
        }

        /// The names of the keys, in the order of the table.
        pub(super) fn names() -> impl Iterator<Item = &'static str> {
            [$($Before::NAMES,)+ $Other::NAMES, $($After::NAMES),+].into_iter().flatten().copied()
        }
    };
}

pub(super) use {section, table};
