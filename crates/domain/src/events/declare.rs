//! The macro that declares the types of events: for each its data, and the list of all types.

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $Name:ident = $name:literal {
        $($(#[doc = $field_doc:literal])+ $field:ident: $Type:ty,)*
    })+) => {
        /// What happened, with what there is to say of it.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each field is documented where it is listed")]
        pub enum Happened {
            $($(#[doc = $doc])+ $Name { $($field: $Type,)* },)+
        }

        /// A type of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType {
            $($(#[doc = $doc])+ $Name,)+
        }

        impl Happened {
            /// Its type.
            #[must_use]
            pub const fn kind(&self) -> EventType {
                match self {
                    $(Self::$Name { .. } => EventType::$Name,)+
                }
            }

            /// What there is to say, by name.
            #[must_use]
            pub fn data(self) -> Object {
                match self {
                    $(Self::$Name { $($field,)* } => {
                        let fields: [(&str, Option<Value>); _] = [$((stringify!($field), $field.value()),)*];
                        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
                    })+
                }
            }
        }

        impl EventType {
            /// The catalogue.
            pub const ALL: &[Self] = &[$(Self::$Name,)+];

            /// The name of the type.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Name => $name,)+
                }
            }

            /// A description for people.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$Name => concat!($($doc),+).trim_start(),)+
                }
            }

            /// The fields of its `data`.
            #[must_use]
            pub const fn fields(self) -> &'static [FieldInfo] {
                match self {
                    $(Self::$Name => const { &[$(FieldInfo {
                        name: stringify!($field),
                        description: concat!($($field_doc),+).trim_ascii_start(),
                        form: <$Type as Field>::FORM,
                        is_optional: <$Type as Field>::IS_OPTIONAL,
                        is_personal: <$Type as Field>::IS_PERSONAL,
                        values: <$Type as Field>::VALUES,
                    },)*] },)+
                }
            }
        }
    };
}

pub(super) use events;
