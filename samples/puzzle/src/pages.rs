//! The page's files, part of the program. The node adds the web client, as `/throughline/..`.

use throughline::prelude::Page;

pub const PAGES: &[Page] = &[
    page("/index.html", "text/html; charset=utf-8", include_bytes!("page/index.html")),
    page("/page/style.css", "text/css; charset=utf-8", include_bytes!("page/style.css")),
    page("/page/icon.svg", "image/svg+xml", include_bytes!("page/icon.svg")),
    page("/page/app.js", SCRIPT, include_bytes!("page/app.js")),
    page("/page/board.js", SCRIPT, include_bytes!("page/board.js")),
    page("/page/slide.js", SCRIPT, include_bytes!("page/slide.js")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

const fn page(path: &'static str, mime: &'static str, bytes: &'static [u8]) -> Page {
    Page { path, mime, bytes }
}
