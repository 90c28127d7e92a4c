//! What a client that was built before relies on.

use std::collections::BTreeMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, OneofDescriptorProto,
};

use super::PACKAGE;

/// Each thing that a client relies on, by the name or number that stands on the wire, and what it is.
type Promises = BTreeMap<String, String>;

/// What of the contract before is gone or has become something else. What is new breaks nobody.
pub(super) fn breaks(before: &FileDescriptorSet, after: &FileDescriptorSet) -> Vec<String> {
    let after = promises(after);
    let broken = promises(before).into_iter().filter_map(|(thing, was)| match after.get(&thing) {
        Some(is) if *is == was => None,
        Some(is) => Some(format!("{thing} was {was} and is {is}: clients that were built before break")),
        None => Some(format!("{thing} ({was}) is gone: clients that were built before break")),
    });
    broken.collect()
}

fn promises(set: &FileDescriptorSet) -> Promises {
    let mut promises = Promises::new();
    for file in set.file.iter().filter(|file| file.package() == PACKAGE) {
        for message in &file.message_type {
            add_message(&mut promises, PACKAGE, message);
        }
        for of in &file.enum_type {
            add_enum(&mut promises, PACKAGE, of);
        }
        for service in &file.service {
            for method in &service.method {
                let stream = |is_stream| if is_stream { "stream " } else { "" };
                let signature = format!(
                    "({}{}) returns ({}{})",
                    stream(method.client_streaming()),
                    method.input_type(),
                    stream(method.server_streaming()),
                    method.output_type()
                );
                promises.insert(format!("method {PACKAGE}.{}/{}", service.name(), method.name()), signature);
            }
        }
    }
    promises
}

fn add_message(promises: &mut Promises, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    promises.insert(format!("message {name}"), "a message".to_owned());
    for field in &message.field {
        promises.insert(format!("field {} of {name}", field.number()), described(message, field));
    }
    for inner in &message.nested_type {
        add_message(promises, &name, inner);
    }
    for inner in &message.enum_type {
        add_enum(promises, &name, inner);
    }
}

fn add_enum(promises: &mut Promises, scope: &str, of: &EnumDescriptorProto) {
    for value in &of.value {
        let thing = format!("value {} of {scope}.{}", value.number(), of.name());
        promises.insert(thing, value.name().to_owned());
    }
}

/// Name, type, and the group that it excludes. The name stands in JSON and in field masks.
fn described(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    let repeated = if field.label() == Label::Repeated { "repeated " } else { "" };
    let group = field.oneof_index.filter(|_| !field.proto3_optional());
    let group = group.and_then(|at| message.oneof_decl.get(usize::try_from(at).ok()?)).map(OneofDescriptorProto::name);
    let group = group.map(|group| format!(" in {group}")).unwrap_or_default();
    format!("{repeated}{kind} {}{group}", field.name())
}

#[cfg(test)]
mod tests {
    use prost_types::FileDescriptorSet;
    use protox::file::{ChainFileResolver, File, FileResolver};

    const BEFORE: &str = r"
        message A { string x = 1; repeated int32 y = 2; oneof g { bool a = 3; bool b = 4; } }
        message B {}
        enum E { E_UNSPECIFIED = 0; E_ONE = 1; }
        service S { rpc Do(A) returns (B); }
    ";

    struct Given(String);

    impl FileResolver for Given {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            File::from_source(name, &self.0)
        }
    }

    fn compiled(text: &str) -> FileDescriptorSet {
        let mut resolver = ChainFileResolver::new();
        resolver.add(Given(format!("syntax = \"proto3\"; package denizen.v1; {text}")));
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.open_file("a.proto").unwrap();
        compiler.file_descriptor_set()
    }

    fn check(from: &str, to: &str, expected: &[&str]) {
        let breaks = super::breaks(&compiled(BEFORE), &compiled(&BEFORE.replace(from, to)));
        assert_eq!(breaks.len(), expected.len(), "{breaks:?}");
        for (found, expected) in breaks.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn what_breaks_a_client_is_told() {
        check("string x = 1;", "", &["field 1 of denizen.v1.A (string x) is gone"]);
        check("string x = 1;", "string x = 9;", &["field 1 of denizen.v1.A"]);
        check("string x = 1;", "bytes x = 1;", &["field 1 of denizen.v1.A was string x and is bytes x"]);
        check("string x = 1;", "string z = 1;", &["field 1"]);
        check("repeated int32 y", "int32 y", &["field 2"]);
        check("bool b = 4; }", "} bool b = 4;", &["field 4 of denizen.v1.A was bool b in g and is bool b"]);
        check("E_ONE = 1;", "", &["value 1 of denizen.v1.E"]);
        check("rpc Do(A) returns (B);", "", &["method denizen.v1.S/Do"]);
        check("returns (B)", "returns (stream B)", &["method denizen.v1.S/Do"]);
        check("returns (B)", "returns (A)", &["method denizen.v1.S/Do"]);
    }

    #[test]
    fn what_is_added_breaks_nobody() {
        check("message B {}", "message B { string new = 1; } message C {}", &[]);
        check("E_ONE = 1;", "E_ONE = 1; E_TWO = 2;", &[]);
        check("service S {", "service S { rpc More(A) returns (B);", &[]);
    }
}
