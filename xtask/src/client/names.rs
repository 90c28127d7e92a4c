//! Identifiers and comments from the names and descriptions of the document.

const KEYWORDS: [&str; 8] = ["type", "use", "self", "ref", "move", "match", "mod", "in"];

/// `snake_case` of a field or an operation; keywords get another name.
pub(super) fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut is_acronym = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            if snake.ends_with(|c: char| c.is_ascii_lowercase()) && !is_acronym {
                snake.push('_');
            }
            snake.push(c.to_ascii_lowercase());
        } else {
            snake.push(if c.is_ascii_alphanumeric() { c } else { '_' });
        }
        is_acronym = c.is_ascii_uppercase();
    }
    match snake.as_str() {
        "type" => "kind".to_owned(),
        name if KEYWORDS.contains(&name) => format!("r#{name}"),
        _ => snake,
    }
}

/// `CamelCase` of a group, an enumerated value or a field.
pub(super) fn camel(name: &str) -> String {
    let mut camel = String::new();
    let mut starts_word = true;
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            camel.push(if starts_word { c.to_ascii_uppercase() } else { c });
        }
        starts_word = !c.is_ascii_alphanumeric();
    }
    if camel.starts_with(|c: char| c.is_ascii_digit()) {
        camel.insert(0, 'N');
    }
    camel
}

/// A doc comment: the description in lines of at most 110 characters.
pub(super) fn comment(description: &str) -> String {
    let mut lines = Vec::new();
    for paragraph in description.split("\n\n") {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if line.chars().count() + word.chars().count() > 110 {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line);
    }
    lines.iter().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::{camel, comment, snake};

    #[test]
    fn names_become_identifiers() {
        assert_eq!(["type", "clientDataJSON", "user_id"].map(snake), ["kind", "client_data_json", "user_id"]);
        assert_eq!(
            ["users:read", "user.created", "ES256", "api_keys", "2fa"].map(camel),
            ["UsersRead", "UserCreated", "ES256", "ApiKeys", "N2fa"]
        );
    }

    #[test]
    fn descriptions_become_comments() {
        assert_eq!(comment("Short.\n\nSecond."), "/// Short.\n///\n/// Second.\n");
        assert!(comment(&"word ".repeat(100)).lines().all(|line| line.len() <= 116));
    }
}
