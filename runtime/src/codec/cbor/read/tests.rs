//! What the short ways read and write is what ciborium reads and writes.

use std::collections::BTreeMap;

use ciborium::Value;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Box { width: u32, name: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { a: u8 },
    B { b: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Self>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct All {
    numbers: (u8, i8, u16, i16, u32, i32, u64, i64),
    large: (u128, i128),
    floats: Vec<f64>,
    single: f32,
    char: char,
    text: String,
    bytes: bytes::Bytes,
    some: Option<Box<Self>>,
    none: Option<u8>,
    unit: ((), Unit, Wrapped),
    shapes: Vec<Shape>,
    tagged: Vec<Tagged>,
    untagged: Untagged,
    map: BTreeMap<i16, bool>,
    #[serde(default)]
    defaulted: u8,
}

fn all(depth: u32, number: i64) -> All {
    let high = number as u64;
    All {
        numbers: (high as u8, number as i8, high as u16, number as i16, 7, -7, high, number),
        large: (high.into(), number.into()),
        floats: vec![0.0, -0.0, 0.5, 1.5e-7, 65_504.0, f64::INFINITY, f64::MAX, 1.0 / 3.0],
        single: 0.1,
        char: 'y',
        text: "x".repeat(number.unsigned_abs() as usize % 300),
        bytes: vec![7; number.unsigned_abs() as usize % 5_000].into(),
        some: (depth > 0).then(|| Box::new(all(depth - 1, number / 3))),
        none: None,
        unit: ((), Unit, Wrapped(3)),
        shapes: vec![
            Shape::Point,
            Shape::Circle(2.5),
            Shape::Line(1, -1),
            Shape::Box { width: 3, name: "b".to_owned() },
        ],
        tagged: vec![Tagged::A { a: 1 }, Tagged::B { b: Some("b".to_owned()) }],
        untagged: Untagged::List(vec![Untagged::Number(number), Untagged::Text("t".to_owned())]),
        map: BTreeMap::from([(-3, true), (3, false)]),
        defaulted: 1,
    }
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

/// Whether the short way wrote it; if so, as ciborium does.
fn is_written_the_same(value: &impl Serialize) -> bool {
    let mut out = vec![7];
    let is_written = super::super::write::write(value, &mut out).is_ok();
    assert!(!is_written || out[1..] == bytes(value), "{out:02x?}");
    out.truncate(1);
    super::super::encode(value, &mut out).unwrap();
    assert_eq!(out[1..], bytes(value));
    is_written
}

/// What ciborium makes of it, after the check that stands before it.
fn long<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    super::super::decode_long(bytes).ok()
}

/// Whether the short way read it; if so, to the same.
fn is_same<T: DeserializeOwned + Serialize>(input: &[u8]) -> bool {
    let Ok(short) = read::<T>(input) else { return false };
    let long: T = long(input).unwrap_or_else(|| panic!("only the short way reads {input:02x?}"));
    assert_eq!(bytes(&short), bytes(&long), "{input:02x?}");
    true
}

#[test]
fn what_is_written_here_is_read_the_short_way() {
    for number in [0, 1, -1, 23, 24, -25, 255, 256, 70_000, -70_000, i64::MAX, i64::MIN] {
        let value = all(2, number);
        assert_eq!(read::<All>(&bytes(&value)).unwrap(), value);
        assert!(is_written_the_same(&value));
        assert!(is_same::<Value>(&bytes(&value)));
    }
}

#[test]
fn what_is_not_read_here_is_left_to_ciborium() {
    let tagged = Value::Tag(1, Box::new(Value::from(1)));
    let values = [tagged, Value::from(f64::NAN), Value::Bytes(vec![7; 10])];
    assert_eq!(values.map(|value| is_same::<Value>(&bytes(&value))), [false, false, true]);
    assert!(read::<u128>(&bytes(&u128::MAX)).is_err());
    assert!(read::<Vec<u8>>(&bytes(&Value::Bytes(vec![1]))).is_err());
    // Indefinite lengths.
    assert!(read::<Value>(&[0x9f, 0x01, 0xff]).is_err());
    assert!(read::<u8>(&[1, 1]).is_err(), "bytes behind the value");
    assert!(read::<(u8, u8)>(&bytes(&(1, 2, 3))).is_err(), "elements behind the last one");
    assert!(read::<Value>(&[&[0x81; 40][..], &[1]].concat()).is_err(), "too deep");
}

/// Of a length that is not known before: serde writes these so.
#[derive(Serialize)]
struct Flat {
    a: u8,
    #[serde(flatten)]
    more: BTreeMap<String, u8>,
}

#[test]
fn what_is_written_the_short_way_is_what_ciborium_writes() {
    let more = BTreeMap::from([("b".to_owned(), 2)]);
    assert!(is_written_the_same(&Flat { a: 1, more }));
    for number in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX] {
        assert!(is_written_the_same(&(number, number as i64, -(number as i128) / 3)));
        assert!(is_written_the_same(&"x".repeat(number.min(70_000) as usize)));
    }
    for float in [0.0, 1.0, 0.1, 1e300, f64::NAN, f64::NEG_INFINITY, f64::MIN_POSITIVE] {
        assert!(is_written_the_same(&(float, float as f32)));
    }
    assert!(is_written_the_same(&('\u{1f600}', "", Some(()), None::<u8>)));
    assert!(!is_written_the_same(&(u128::MAX, i128::MIN)));
    assert!(!is_written_the_same(&Value::Tag(1, Box::new(Value::from(1)))));
}

#[test]
fn claims_beyond_the_bytes_are_not_believed() {
    let lie: Vec<u8> = [0x9a, 0x00, 0x00, 0x01, 0x00].repeat(52);
    assert!(read::<Value>(&lie).is_err());
    assert!(read::<Vec<u64>>(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn changed_bytes_are_read_as_ciborium_reads_them() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |most: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % most as u64) as usize
    };
    let originals = [bytes(&all(1, 77)), bytes(&all(0, -3)), bytes(&Shape::Line(1, 2))];
    let mut read = 0;
    for _ in 0..20_000 {
        let mut input = originals[next(originals.len())].clone();
        for _ in 0..=next(3) {
            let at = next(input.len());
            match next(4) {
                0 => input[at] = next(256) as u8,
                1 => input[at] ^= 1 << next(8),
                2 => drop(input.remove(at)),
                _ => input.insert(at, next(256) as u8),
            }
        }
        read += u32::from(is_same::<Value>(&input));
        read += u32::from(is_same::<All>(&input));
        read += u32::from(is_same::<Shape>(&input));
        read += u32::from(is_same::<Untagged>(&input));
    }
    assert!(read > 500, "hardly anything was read: {read}");
}
