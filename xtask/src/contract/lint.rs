//! The style of the contract: that of Buf (its category STANDARD), lists by AIP-158, updates by AIP-134, and a comment
//! on everything.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::field_descriptor_proto::Type;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions,
    ServiceDescriptorProto,
};

use super::PACKAGE;

/// Lists that are short by their nature, and come whole.
const WHOLE_LISTS: [&str; 6] =
    ["ListIdentities", "ListPasskeys", "ListPermissions", "ListProviders", "ListSignInProviders", "ListSigningKeys"];

/// What breaks the style.
pub(super) fn check(set: &FileDescriptorSet) -> Vec<String> {
    let mut linter = Linter::default();
    for file in set.file.iter().filter(|file| file.package() == PACKAGE || !file.name().starts_with("google/")) {
        linter.file(file);
    }
    linter.faults
}

#[derive(Default)]
struct Linter {
    faults: Vec<String>,
    /// The messages that methods take and give: each belongs to one.
    taken: BTreeSet<String>,
}

impl Linter {
    fn require(&mut self, holds: impl Into<Option<()>>, place: &str, rule: &str) {
        if holds.into().is_none() {
            self.faults.push(format!("{place}: {rule}"));
        }
    }

    fn file(&mut self, file: &FileDescriptorProto) {
        let comments = Comments::of(file);
        let name = file.name();
        self.require(when(file.package() == PACKAGE), name, "must be in the package denizen.v1");
        self.require(when(name.starts_with("denizen/v1/")), name, "must lie in the folder of its package");
        self.require(when(file.syntax() == "proto3"), name, "must be proto3");
        self.require(comments.at(&[2]), name, "the package needs a comment");
        for (at, message) in (0..).zip(&file.message_type) {
            self.message(message, &comments, at);
        }
        for (at, of) in (0..).zip(&file.enum_type) {
            self.enumeration(of, &comments, at);
        }
        for (at, service) in (0..).zip(&file.service) {
            self.service(service, file, &comments, at);
        }
    }

    fn message(&mut self, message: &DescriptorProto, comments: &Comments, at: i32) {
        let name = message.name();
        self.require(when(is_pascal(name)), name, "must be PascalCase");
        self.require(comments.at(&[4, at]), name, "needs a comment");
        // A map is compiled to a nested message.
        let is_map = |nested: &DescriptorProto| nested.options.as_ref().is_some_and(MessageOptions::map_entry);
        let nests = !message.nested_type.iter().all(is_map) || !message.enum_type.is_empty();
        self.require(when(!nests), name, "must nest nothing");
        for (index, field) in (0..).zip(&message.field) {
            let place = format!("{name}.{}", field.name());
            self.require(when(is_snake(field.name())), &place, "must be lower_snake_case");
            self.require(comments.at(&[4, at, 2, index]), &place, "needs a comment");
        }
        let groups = message.oneof_decl.iter().zip(0..).filter(|(group, _)| !group.name().starts_with('_'));
        for (group, index) in groups {
            let place = format!("{name}.{}", group.name());
            self.require(when(is_snake(group.name())), &place, "must be lower_snake_case");
            self.require(comments.at(&[4, at, 8, index]), &place, "needs a comment");
        }
    }

    fn enumeration(&mut self, of: &EnumDescriptorProto, comments: &Comments, at: i32) {
        let name = of.name();
        self.require(when(is_pascal(name)), name, "must be PascalCase");
        self.require(comments.at(&[5, at]), name, "needs a comment");
        let prefix = screaming(name);
        for (index, value) in (0..).zip(&of.value) {
            let has_prefix = value.name().starts_with(&format!("{prefix}_"));
            self.require(when(has_prefix), value.name(), "must begin with the name of its enum");
            self.require(comments.at(&[5, at, 2, index]), value.name(), "needs a comment");
        }
        let zero = of.value.iter().find(|value| value.number() == 0).map(|value| value.name().to_owned());
        let is_unspecified = zero.is_some_and(|zero| zero == format!("{prefix}_UNSPECIFIED"));
        self.require(when(is_unspecified), name, "its zero value must end in _UNSPECIFIED");
    }

    fn service(&mut self, service: &ServiceDescriptorProto, file: &FileDescriptorProto, comments: &Comments, at: i32) {
        let name = service.name();
        self.require(when(is_pascal(name) && name.ends_with("Service")), name, "must be PascalCase and end in Service");
        self.require(comments.at(&[6, at]), name, "needs a comment");
        for (index, method) in (0..).zip(&service.method) {
            let place = format!("{name}.{}", method.name());
            self.require(when(is_pascal(method.name())), &place, "must be PascalCase");
            self.require(comments.at(&[6, at, 2, index]), &place, "needs a comment");
            for (kind, suffix) in [(method.input_type(), "Request"), (method.output_type(), "Response")] {
                let expected = format!(".{PACKAGE}.{}{suffix}", method.name());
                self.require(when(kind == expected), &place, "must take and give messages that are named after it");
                let is_alone = self.taken.insert(kind.to_owned());
                self.require(when(is_alone), &place, "must share its messages with no other method");
            }
            self.aips(method.name(), file);
        }
    }

    fn aips(&mut self, method: &str, file: &FileDescriptorProto) {
        let field = |suffix: &str, field: &str| {
            let message = file.message_type.iter().find(|of| of.name() == format!("{method}{suffix}"))?;
            let field = message.field.iter().find(|known| known.name() == field)?;
            Some((field.r#type(), field.type_name().to_owned()))
        };
        let is = |found: Option<(Type, String)>, kind| when(found.is_some_and(|(found, _)| found == kind));
        if method.starts_with("List") && !WHOLE_LISTS.contains(&method) {
            self.require(is(field("Request", "page_size"), Type::Int32), method, "AIP-158: int32 page_size");
            self.require(is(field("Request", "page_token"), Type::String), method, "AIP-158: string page_token");
            let next = is(field("Response", "next_page_token"), Type::String);
            self.require(next, method, "AIP-158: string next_page_token");
        }
        if method.starts_with("Update") {
            let mask = field("Request", "update_mask").map(|(_, name)| name);
            let is_mask = mask.is_some_and(|name| name == ".google.protobuf.FieldMask");
            self.require(when(is_mask), method, "AIP-134: google.protobuf.FieldMask update_mask");
        }
    }
}

/// The comments of a file, by what they stand above.
struct Comments(BTreeMap<Vec<i32>, String>);

impl Comments {
    fn of(file: &FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        Self(locations.map(|at| (at.path.clone(), at.leading_comments().trim().to_owned())).collect())
    }

    fn at(&self, path: &[i32]) -> Option<()> {
        self.0.get(path).filter(|text| !text.is_empty()).map(|_| ())
    }
}

/// Whether a rule holds, for [`Linter::require`].
fn when(holds: bool) -> Option<()> {
    holds.then_some(())
}

fn is_pascal(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_snake(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(is_plain)
}

/// `UserStatus` as `USER_STATUS`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}
