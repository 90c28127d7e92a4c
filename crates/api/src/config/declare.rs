//! The macro that declares the configuration keys: for each section a type, and the list of all keys.

macro_rules! table {
    ($($(#[doc = $section_doc:literal])+ $section:ident: $Section:ident {
        $($(#[doc = $doc:literal])+ $field:ident: $Type:ty = $default:literal, $rule:expr;)+
    })+) => {
        /// The merged configuration.
        #[derive(Clone)]
        pub struct Config {
            /// The environment.
            pub app_env: AppEnv,
            /// The outside providers, `[providers.NAME]`.
            pub providers: Vec<ProviderConfig>,
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        impl Config {
            /// Reads every key. `None` if an error was recorded.
            pub(super) fn read(layers: &mut Layers) -> Option<Self> {
                $(let $section = $Section::read(layers);)+
                let providers = layers.read_providers();
                Some(Self { app_env: layers.app_env.clone(), providers, $($section: $section?,)+ })
            }
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $field: $Type,)+
            }

            impl $Section {
                fn read(layers: &mut Layers) -> Option<Self> {
                    $(
                        let rule: Rule<$Type> = $rule;
                        let $field = layers.read(concat!(stringify!($section), ".", stringify!($field)), $default, &rule);
                    )+
                    Some(Self { $($field: $field?,)+ })
                }

                fn keys() -> Vec<Key> {
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
        )+

        /// All keys, in the order of the table.
        pub(super) fn keys() -> Vec<Key> {
            [$($Section::keys()),+].into_iter().flatten().collect()
        }

        /// The names of the keys, in the order of the table.
        pub(super) const NAMES: &[&str] = &[$($(concat!(stringify!($section), ".", stringify!($field)),)+)+];
    };
}

pub(super) use table;
