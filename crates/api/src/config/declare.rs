//! The macros that declare the configuration keys: for each section a type, and the list of all keys.

/// The names of the sections, in the order of the table.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    let sections = super::table::NAMES.iter().filter_map(|name| name.split_once('.')).map(|(section, _)| section);
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

/// Declares sections: for each a type with its keys.
macro_rules! section_types {
    ($($(#[doc = $section_doc:literal])+ $section:ident: $Section:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $Type:ty = $default:literal, $rule:expr;)+
    })+) => {$(
        $(#[doc = $section_doc])+
        #[derive(Clone)]
        pub struct $Section {
            $($(#[doc = $doc])+ pub $field: $Type,)+
        }

        impl $Section {
            pub(in crate::config) fn read(layers: &mut Layers) -> Option<Self> {
                $(
                    let rule: Rule<$Type> = $rule;
                    let $field = layers.read(concat!(stringify!($section), ".", stringify!($field)), $default, &rule);
                )+
                Some(Self { $($field: $field?,)+ })
            }

            pub(in crate::config) fn keys() -> Vec<Key> {
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
    )+};
}

/// Declares the configuration: the names of all sections, in the order of the documents.
macro_rules! config {
    ($($section:ident: $Section:ident,)+) => {
        /// The merged configuration.
        #[derive(Clone)]
        pub struct Config {
            /// The environment.
            pub app_env: AppEnv,
            /// The outside providers, `[providers.NAME]`.
            pub providers: Vec<ProviderConfig>,
            $(
                #[doc = concat!("The section `[", stringify!($section), "]`.")]
                pub $section: $Section,
            )+
        }

        impl Config {
            /// Reads every key. `None` if an error was recorded.
            pub(super) fn read(layers: &mut Layers) -> Option<Self> {
                $(let $section = $Section::read(layers);)+
                let providers = layers.read_providers();
                Some(Self { app_env: layers.app_env.clone(), providers, $($section: $section?,)+ })
            }
        }

        /// All keys, in the order of the table.
        pub(super) fn keys() -> Vec<Key> {
            [$($Section::keys()),+].into_iter().flatten().collect()
        }

        /// The names of the keys, in the order of the table.
        pub(super) static NAMES: LazyLock<Vec<&'static str>> =
            LazyLock::new(|| keys().iter().map(|key| key.name).collect());
    };
}

pub(super) use config;
pub(super) use section_types;
