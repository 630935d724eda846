//! The short way to read CBOR: what this node's own encoder writes, and nothing else.
//!
//! Definite lengths and no tags. Whatever is different is [`Unlike`], and read anew by ciborium,
//! which has the last word. What both read, they read as the same value, so this is only about
//! time: a small message takes a tenth of it.
//!
//! No claim of a length is believed beyond the bytes that are there: each element of a container
//! takes a byte at least, so the claims of all containers together are at most as many.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};

use super::DEPTH_MAX;

/// It is not read here.
#[derive(Debug)]
pub(super) struct Unlike;

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not read the short way")
    }
}

impl std::error::Error for Unlike {}

impl de::Error for Unlike {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Texts and bytes that ciborium gives to a visitor in one piece, at most; longer ones are owned.
const PIECE_MAX: usize = 4096;

const POSITIVE: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const UNDEFINED: u8 = 0xf7;
const HALF: u8 = 0xf9;
const SINGLE: u8 = 0xfa;
const DOUBLE: u8 = 0xfb;

/// Reads one value that takes all the bytes.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unlike> {
    let mut reader = Reader { rest: bytes, elements_left: bytes.len(), depth_left: DEPTH_MAX };
    let value = T::deserialize(&mut reader)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(Unlike) }
}

struct Reader<'b> {
    rest: &'b [u8],
    /// Elements that containers may still claim.
    elements_left: usize,
    depth_left: usize,
}

impl<'b> Reader<'b> {
    fn peek(&self) -> Result<u8, Unlike> {
        self.rest.first().copied().ok_or(Unlike)
    }

    fn take(&mut self, count: usize) -> Result<&'b [u8], Unlike> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Unlike)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unlike> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Unlike)?;
        self.rest = rest;
        Ok(*array)
    }

    /// The kind of the next item, and its number.
    #[inline]
    fn head(&mut self) -> Result<(u8, u64), Unlike> {
        let [first] = self.array()?;
        let number = match first & 0x1f {
            small @ 0..=23 => small.into(),
            24 => self.array::<1>()?[0].into(),
            25 => u16::from_be_bytes(self.array()?).into(),
            26 => u32::from_be_bytes(self.array()?).into(),
            27 => u64::from_be_bytes(self.array()?),
            _ => return Err(Unlike),
        };
        Ok((first >> 5, number))
    }

    /// The number of an item of this kind.
    #[inline]
    fn number(&mut self, kind: u8) -> Result<u64, Unlike> {
        match self.head()? {
            (found, number) if found == kind => Ok(number),
            _ => Err(Unlike),
        }
    }

    fn bytes_of(&mut self, kind: u8) -> Result<&'b [u8], Unlike> {
        let length = self.number(kind)?;
        self.take(usize::try_from(length).map_err(|_| Unlike)?)
    }

    fn text(&mut self) -> Result<&'b str, Unlike> {
        std::str::from_utf8(self.bytes_of(TEXT)?).map_err(|_| Unlike)
    }

    fn signed(&mut self) -> Result<i64, Unlike> {
        match self.head()? {
            (POSITIVE, number) => i64::try_from(number).map_err(|_| Unlike),
            (NEGATIVE, number) => i64::try_from(number).map(|number| !number).map_err(|_| Unlike),
            _ => Err(Unlike),
        }
    }

    fn float(&mut self) -> Result<f64, Unlike> {
        match self.array()? {
            [HALF] => half(u16::from_be_bytes(self.array()?)),
            [SINGLE] => Ok(f32::from_be_bytes(self.array()?).into()),
            [DOUBLE] => Ok(f64::from_be_bytes(self.array()?)),
            _ => Err(Unlike),
        }
    }

    /// Goes into a container of so many elements, and out again once all were read.
    fn within<T>(
        &mut self,
        elements: u64,
        each: usize,
        read: impl FnOnce(&mut Items<'_, 'b>) -> Result<T, Unlike>,
    ) -> Result<T, Unlike> {
        let left = usize::try_from(elements).map_err(|_| Unlike)?;
        let claimed = left.checked_mul(each).ok_or(Unlike)?;
        self.elements_left = self.elements_left.checked_sub(claimed).ok_or(Unlike)?;
        self.depth_left = self.depth_left.checked_sub(1).ok_or(Unlike)?;
        let mut items = Items { reader: self, left };
        let value = read(&mut items)?;
        // ciborium takes what is left for what comes next.
        if items.left > 0 {
            return Err(Unlike);
        }
        self.depth_left += 1;
        Ok(value)
    }
}

/// A number of half precision. Not-a-numbers have payloads, which are another's.
fn half(bits: u16) -> Result<f64, Unlike> {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => return Err(Unlike),
        exponent => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    };
    Ok(if bits >> 15 == 0 { size } else { -size })
}

macro_rules! numbers {
    ($($name:ident => $read:ident),*) => { $(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
            self.$read(visitor)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for &mut Reader<'_> {
    type Error = Unlike;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        let first = self.peek()?;
        match (first >> 5, first) {
            (POSITIVE, _) => self.deserialize_u64(visitor),
            (NEGATIVE, _) => self.deserialize_i64(visitor),
            (BYTES, _) => match self.bytes_of(BYTES)? {
                bytes if bytes.len() <= PIECE_MAX => visitor.visit_bytes(bytes),
                bytes => visitor.visit_byte_buf(bytes.to_owned()),
            },
            (TEXT, _) => match self.text()? {
                text if text.len() <= PIECE_MAX => visitor.visit_str(text),
                text => visitor.visit_string(text.to_owned()),
            },
            (ARRAY, _) => self.deserialize_seq(visitor),
            (MAP, _) => self.deserialize_map(visitor),
            (_, FALSE | TRUE) => self.deserialize_bool(visitor),
            (_, NULL | UNDEFINED) => self.deserialize_option(visitor),
            (_, HALF | SINGLE | DOUBLE) => self.deserialize_f64(visitor),
            _ => Err(Unlike),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        match self.array()? {
            [FALSE] => visitor.visit_bool(false),
            [TRUE] => visitor.visit_bool(true),
            _ => Err(Unlike),
        }
    }

    #[inline]
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_i64(self.signed()?)
    }

    #[inline]
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_u64(self.number(POSITIVE)?)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_i128(self.signed()?.into())
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_u128(self.number(POSITIVE)?.into())
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_f64(self.float()?)
    }

    numbers! {
        deserialize_i8 => deserialize_i64,
        deserialize_i16 => deserialize_i64,
        deserialize_i32 => deserialize_i64,
        deserialize_u8 => deserialize_u64,
        deserialize_u16 => deserialize_u64,
        deserialize_u32 => deserialize_u64,
        deserialize_f32 => deserialize_f64
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        let mut chars = self.text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => visitor.visit_char(char),
            _ => Err(Unlike),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        match self.text()? {
            text if text.len() <= PIECE_MAX => visitor.visit_str(text),
            _ => Err(Unlike),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_string(self.text()?.to_owned())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        match self.bytes_of(BYTES)? {
            bytes if bytes.len() <= PIECE_MAX => visitor.visit_bytes(bytes),
            _ => Err(Unlike),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_byte_buf(self.bytes_of(BYTES)?.to_owned())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        match self.peek()? {
            NULL | UNDEFINED => {
                self.take(1)?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        match self.array()? {
            [NULL | UNDEFINED] => visitor.visit_unit(),
            _ => Err(Unlike),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        let elements = self.number(ARRAY)?;
        self.within(elements, 1, |items| visitor.visit_seq(items))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        let elements = self.number(MAP)?;
        self.within(elements, 2, |items| visitor.visit_map(items))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        // What ciborium calls its tags.
        if name == "@@TAG@@" {
            return Err(Unlike);
        }
        let has_value = self.peek()? >> 5 == MAP;
        if has_value && self.number(MAP)? != 1 {
            return Err(Unlike);
        }
        let elements = if has_value { 2 } else { 1 };
        self.within(elements, 1, |items| {
            let value = visitor.visit_enum(Variant { reader: items.reader, has_value })?;
            items.left = 0;
            Ok(value)
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The elements of an array, or the entries of a map.
struct Items<'r, 'b> {
    reader: &'r mut Reader<'b>,
    left: usize,
}

impl Items<'_, '_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unlike> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, '_> {
    type Error = Unlike;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unlike> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for &mut Items<'_, '_> {
    type Error = Unlike;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unlike> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unlike> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant of an enum: its name alone, or with a value.
struct Variant<'r, 'b> {
    reader: &'r mut Reader<'b>,
    has_value: bool,
}

impl Variant<'_, '_> {
    /// Only what has a value is read as one.
    fn value(&self) -> Result<(), Unlike> {
        if self.has_value { Ok(()) } else { Err(Unlike) }
    }
}

impl<'de, 'r, 'b> de::EnumAccess<'de> for Variant<'r, 'b> {
    type Error = Unlike;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Unlike> {
        let name = seed.deserialize(&mut *self.reader)?;
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, '_> {
    type Error = Unlike;

    fn unit_variant(self) -> Result<(), Unlike> {
        if self.has_value { Err(Unlike) } else { Ok(()) }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Unlike> {
        self.value()?;
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unlike> {
        use de::Deserializer as _;
        self.value()?;
        self.reader.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        use de::Deserializer as _;
        self.value()?;
        self.reader.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests;
