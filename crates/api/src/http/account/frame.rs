//! The frame of every page: its head, and the name of the product.

use super::texts::{Texts, escape};

const FRAME: &str = include_str!("frame.html");

/// What the frame of a page contains.
pub(super) struct Frame<'a> {
    pub(super) texts: &'a Texts,
    pub(super) product: &'a str,
    /// The key of the title.
    pub(super) title: &'a str,
    /// What precedes the names of the files that the page loads: nothing for a page in the same folder.
    pub(super) base: &'a str,
    pub(super) script: Option<Script>,
}

/// The script of a page.
pub(super) struct Script {
    /// The name of its file.
    pub(super) file: &'static str,
    /// The attributes of the body that it reads.
    pub(super) settings: String,
}

/// A setting for a script.
pub(super) fn attribute(name: &str, value: &str) -> String {
    format!(" data-{name}=\"{}\"", escape(value))
}

impl Frame<'_> {
    /// The whole page with this content, which is HTML.
    pub(super) fn around(&self, main: &str) -> String {
        let (before, after) = FRAME.split_once("{main}").expect("frame.html contains it");
        let (scripts, settings, noscript) = match &self.script {
            Some(script) => (
                format!(
                    "<link rel=\"modulepreload\" href=\"{base}common.js\">\n\
                     <script type=\"module\" src=\"{base}{file}\"></script>\n",
                    base = escape(self.base),
                    file = script.file
                ),
                format!(" {}", script.settings),
                format!("<noscript><p role=\"alert\">{}</p></noscript>\n", escape(self.texts.say("noscript"))),
            ),
            None => Default::default(),
        };
        let before = before
            .replace("{language}", self.texts.language)
            .replace("{title}", &escape(self.texts.say(self.title)))
            .replace("{base}", &escape(self.base))
            .replace("{scripts}", &scripts)
            .replace("{noscript}", &noscript)
            // Last, and escaped: no HTML is placed within them.
            .replace("{settings}", &settings)
            .replace("{product}", &escape(self.product));
        before + main + after
    }
}
