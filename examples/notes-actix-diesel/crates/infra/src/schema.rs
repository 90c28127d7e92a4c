//! The tables, as the migrations create them.

diesel::table! {
    notes (id) {
        id -> Uuid,
        owner_id -> Uuid,
        title -> Text,
        body -> Text,
    }
}
