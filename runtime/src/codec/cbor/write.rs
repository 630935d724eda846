//! The short way to write CBOR: byte for byte what ciborium writes, without its generality.
//!
//! Tags and numbers beyond 64 bits are [`Unlike`], and written anew by ciborium.

use std::fmt;

use ciborium_ll::{Encoder, Header};
use serde::ser::{self, Serialize};

/// It is not written here, or its own `Serialize` has failed.
#[derive(Debug)]
pub(super) struct Unlike;

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not written the short way")
    }
}

impl std::error::Error for Unlike {}

impl ser::Error for Unlike {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

const POSITIVE: u8 = 0;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const BREAK: u8 = 0xff;
/// Instead of a length: until the break.
const INDEFINITE: u8 = 31;

/// What ciborium calls its tags.
const TAG: &str = "@@TAG@@";

/// Appends a value; after an error, part of it.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Unlike> {
    value.serialize(&mut Writer(out))
}

struct Writer<'o>(&'o mut Vec<u8>);

impl Writer<'_> {
    /// The beginning of an item of this kind.
    #[inline]
    fn head(&mut self, kind: u8, number: u64) {
        if let Ok(small) = u8::try_from(number) {
            match small {
                0..=23 => self.0.push(kind | small),
                _ => self.0.extend_from_slice(&[kind | 24, small]),
            }
        } else if let Ok(number) = u16::try_from(number) {
            self.0.push(kind | 25);
            self.0.extend_from_slice(&number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.0.push(kind | 26);
            self.0.extend_from_slice(&number.to_be_bytes());
        } else {
            self.0.push(kind | 27);
            self.0.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn container(&mut self, kind: u8, length: Option<usize>) {
        match length {
            Some(length) => self.head(kind, length as u64),
            None => self.0.push(kind | INDEFINITE),
        }
    }

    fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A variant with a value, which follows.
    fn variant(&mut self, name: &'static str, variant: &'static str) -> Result<(), Unlike> {
        if name == TAG {
            return Err(Unlike);
        }
        self.head(MAP, 1);
        self.text(variant);
        Ok(())
    }
}

/// The elements of an array, or the entries of a map.
struct Items<'w, 'o> {
    writer: &'w mut Writer<'o>,
    has_break: bool,
}

macro_rules! numbers {
    ($($name:ident($type:ty) => $to:ident),*) => { $(
        #[inline]
        fn $name(self, number: $type) -> Result<(), Unlike> {
            self.$to(number.into())
        }
    )* };
}

impl<'w, 'o> ser::Serializer for &'w mut Writer<'o> {
    type Ok = ();
    type Error = Unlike;
    type SerializeSeq = Items<'w, 'o>;
    type SerializeTuple = Items<'w, 'o>;
    type SerializeTupleStruct = Items<'w, 'o>;
    type SerializeTupleVariant = Items<'w, 'o>;
    type SerializeMap = Items<'w, 'o>;
    type SerializeStruct = Items<'w, 'o>;
    type SerializeStructVariant = Items<'w, 'o>;

    numbers! {
        serialize_i8(i8) => serialize_i64,
        serialize_i16(i16) => serialize_i64,
        serialize_i32(i32) => serialize_i64,
        serialize_u8(u8) => serialize_u64,
        serialize_u16(u16) => serialize_u64,
        serialize_u32(u32) => serialize_u64,
        serialize_f32(f32) => serialize_f64
    }

    #[inline]
    fn serialize_u64(self, number: u64) -> Result<(), Unlike> {
        self.head(POSITIVE, number);
        Ok(())
    }

    #[inline]
    fn serialize_i64(self, number: i64) -> Result<(), Unlike> {
        match u64::try_from(number) {
            Ok(number) => self.head(POSITIVE, number),
            Err(_) => self.head(NEGATIVE, !number.cast_unsigned()),
        }
        Ok(())
    }

    fn serialize_u128(self, number: u128) -> Result<(), Unlike> {
        self.serialize_u64(u64::try_from(number).map_err(|_| Unlike)?)
    }

    fn serialize_i128(self, number: i128) -> Result<(), Unlike> {
        self.serialize_i64(i64::try_from(number).map_err(|_| Unlike)?)
    }

    /// In the shortest form that has the same value.
    fn serialize_f64(self, number: f64) -> Result<(), Unlike> {
        Encoder::from(&mut *self.0).push(Header::Float(number)).map_err(|_| Unlike)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Unlike> {
        self.0.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Unlike> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Unlike> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Unlike> {
        self.head(BYTES, value.len() as u64);
        self.0.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Unlike> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unlike> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unlike> {
        self.0.push(NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unlike> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Unlike> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unlike> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Unlike> {
        self.variant(name, variant)?;
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'w, 'o>, Unlike> {
        self.container(ARRAY, length);
        Ok(Items { writer: self, has_break: length.is_none() })
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'w, 'o>, Unlike> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Items<'w, 'o>, Unlike> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'w, 'o>, Unlike> {
        self.variant(name, variant)?;
        self.serialize_seq(Some(length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Items<'w, 'o>, Unlike> {
        self.container(MAP, length);
        Ok(Items { writer: self, has_break: length.is_none() })
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Items<'w, 'o>, Unlike> {
        self.serialize_map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'w, 'o>, Unlike> {
        self.variant(name, variant)?;
        self.serialize_map(Some(length))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl Items<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unlike> {
        value.serialize(&mut *self.writer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Unlike> {
        self.writer.text(key);
        self.item(value)
    }

    fn finish(self) {
        if self.has_break {
            self.writer.0.push(BREAK);
        }
    }
}

macro_rules! items {
    ($($trait:ident: $name:ident),*) => { $(
        impl ser::$trait for Items<'_, '_> {
            type Ok = ();
            type Error = Unlike;

            #[inline]
            fn $name<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unlike> {
                self.item(value)
            }

            fn end(self) -> Result<(), Unlike> {
                self.finish();
                Ok(())
            }
        }
    )* };
}

items! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

macro_rules! fields {
    ($($trait:ident),*) => { $(
        impl ser::$trait for Items<'_, '_> {
            type Ok = ();
            type Error = Unlike;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Unlike> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Unlike> {
                self.finish();
                Ok(())
            }
        }
    )* };
}

fields! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unlike> {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unlike> {
        self.item(value)
    }

    fn end(self) -> Result<(), Unlike> {
        self.finish();
        Ok(())
    }
}
