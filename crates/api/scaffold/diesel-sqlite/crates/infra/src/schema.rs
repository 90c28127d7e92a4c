//! The tables, as the migrations create them.

diesel::table! {
    notes (id) {
        id -> Binary,
        owner_id -> Binary,
        title -> Text,
        body -> Text,
    }
}
