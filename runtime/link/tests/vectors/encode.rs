//! A second encoder, from the fields of a vector to hex, written from docs/protocol.md alone.

use serde_json::Value;

use crate::files::field;

/// The frame with these fields, as hex.
pub(crate) fn frame(frame: &Value) -> String {
    let (number, body) = body(frame);
    format!("{:08x}{number:02x}{body}", 1 + body.len() / 2)
}

fn body(frame: &Value) -> (u8, String) {
    let u64s = |names: &[&str]| names.iter().map(|name| long(frame, name)).collect::<String>();
    let text = |name| field(frame, name);
    match text("type") {
        "hello" => (0x01, hello(frame)),
        "resume" => (0x02, resume(frame)),
        "welcome" => (0x03, welcome(frame)),
        "refused" => {
            let head = format!("{}{}", short(frame, "code"), int(frame, "retryAfterMs"));
            (0x04, head + &long_text(text("text")) + &extensions(frame))
        }
        "data" => (0x10, u64s(&["seq", "ack"]) + text("payload")),
        "ack" => (0x11, u64s(&["ack"])),
        "ping" => (0x12, u64s(&["token"])),
        "pong" => (0x13, u64s(&["token", "time"])),
        "restarting" => {
            let addresses = frame["addresses"].as_array().unwrap();
            let list = addresses.iter().map(|text| short_text(text.as_str().unwrap()));
            let list = list.collect::<String>();
            (0x14, format!("{}{:02x}{list}", int(frame, "reconnectInMs"), addresses.len()))
        }
        "close" => (0x15, short(frame, "code") + &u64s(&["ack"]) + &long_text(text("text"))),
        other => panic!("a frame of type {other} cannot be encoded"),
    }
}

fn hello(frame: &Value) -> String {
    let login = field(frame, "login");
    let kind = short_text(field(frame, "kind"));
    format!("{}{kind}{:08x}{login}{}", preamble(frame), login.len() / 2, extensions(frame))
}

fn resume(frame: &Value) -> String {
    let (id, proof) = (field(frame, "sessionId"), field(frame, "proof"));
    let numbers = ["attempt", "received", "acked"].map(|name| long(frame, name)).concat();
    let extensions = extensions(frame);
    format!("{}{id}{numbers}{:04x}{extensions}{proof}", preamble(frame), extensions.len() / 2)
}

fn welcome(frame: &Value) -> String {
    let flags = u8::from(frame["resumed"].as_bool().unwrap());
    let secret = frame["secret"].as_str().unwrap_or_default();
    let numbers = ["attempt", "received", "ack", "time"].map(|name| long(frame, name)).concat();
    let limits = ["heartbeatMs", "timeoutMs", "windowMessages", "windowBytes", "maxFrame"];
    let limits = limits.map(|name| int(frame, name)).concat();
    let head = format!("{}{flags:02x}{}", byte(frame, "version"), field(frame, "sessionId"));
    format!("{head}{:02x}{secret}{numbers}{limits}{}", secret.len() / 2, extensions(frame))
}

fn preamble(frame: &Value) -> String {
    format!("544c4e4b{}{}", byte(frame, "versionMin"), byte(frame, "versionMax"))
}

fn extensions(frame: &Value) -> String {
    let list = frame["extensions"].as_array().unwrap();
    let one = |extension: &Value| {
        let hex = field(extension, "hex");
        format!("{:04x}{:04x}{hex}", extension["tag"].as_u64().unwrap(), hex.len() / 2)
    };
    list.iter().map(one).collect()
}

fn digits(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn short_text(text: &str) -> String {
    format!("{:02x}{}", text.len(), digits(text))
}

fn long_text(text: &str) -> String {
    format!("{:04x}{}", text.len(), digits(text))
}

fn byte(frame: &Value, name: &str) -> String {
    format!("{:02x}", frame[name].as_u64().unwrap())
}

fn short(frame: &Value, name: &str) -> String {
    format!("{:04x}", frame[name].as_u64().unwrap())
}

fn int(frame: &Value, name: &str) -> String {
    format!("{:08x}", frame[name].as_u64().unwrap())
}

/// A u64, which JSON holds as a decimal text: its numbers are exact to 2^53 only.
fn long(frame: &Value, name: &str) -> String {
    format!("{:016x}", field(frame, name).parse::<u64>().unwrap())
}
