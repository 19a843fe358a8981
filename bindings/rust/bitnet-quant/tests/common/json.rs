//! Reading the members of a case of the shared vectors.

use bitnet_quant::{Config, Error};
use serde_json::Value;

pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{} is not a string", value))
}

pub fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{} is not a list", value))
}

pub fn integers<T: TryFrom<i64>>(value: &Value) -> Vec<T> {
    let integer = |v: &Value| T::try_from(v.as_i64()?).ok();
    list(value)
        .iter()
        .map(|v| integer(v).unwrap_or_else(|| panic!("{}", v)))
        .collect()
}

/// A number, or the name of one that JSON does not have.
pub fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("nan") => f64::NAN,
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        _ => value
            .as_f64()
            .unwrap_or_else(|| panic!("{} is not a number", value)),
    }
}

pub fn floats(value: &Value) -> Vec<f32> {
    list(value).iter().map(|v| number(v) as f32).collect()
}

pub fn float_bits(value: &Value) -> Vec<u32> {
    list(value)
        .iter()
        .map(|v| u32::from_str_radix(text(v), 16).expect("hexadecimal"))
        .collect()
}

pub fn hex_bytes(value: &Value) -> Vec<u8> {
    let digits = text(value).as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hex"))
        .collect()
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// The same bits, but for NaN, of which there are many.
pub fn same(values: &[f32], expected: &[u32]) -> bool {
    let equal =
        |(v, e): (&f32, &u32)| v.to_bits() == *e || v.is_nan() && f32::from_bits(*e).is_nan();
    values.len() == expected.len() && values.iter().zip(expected).all(equal)
}

pub fn config(value: &Value) -> Result<Config, Error> {
    let options = value.as_object().expect("options");
    Config::from_map(options.iter().map(|(option, value)| (option, text(value))))
}

pub fn shape(value: &Value) -> Vec<usize> {
    integers::<u32>(value).iter().map(|&d| d as usize).collect()
}
