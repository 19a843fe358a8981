//! The declarations against capi/abi.json, the description of the C header: every
//! function with the same types, every constant with the same value, every struct
//! with the same fields. What is in one but not in the other is an error both ways.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// A function's parameter types and return type, spelled as Rust types.
type Signature = (Vec<String>, String);

fn abi() -> Value {
    let text = include_str!("../../../../capi/abi.json");
    serde_json::from_str(text).expect("JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value[key].as_array();
    list.unwrap_or_else(|| panic!("no {}", key))
}

fn string<'a>(value: &'a Value, key: &str) -> &'a str {
    let string = value[key].as_str();
    string.unwrap_or_else(|| panic!("no {}", key))
}

/// All of the crate's sources: a new file is compared without being listed here.
fn declarations() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let files = fs::read_dir(folder).expect("the sources");
    let text: String = files
        .map(|file| fs::read_to_string(file.expect("a file").path()).expect("text"))
        .collect();
    let code = text.lines().map(|line| line.split("//").next().unwrap());
    code.collect::<Vec<_>>().join("\n")
}

/// A number in decimal, or the name of the greatest one.
fn number(value: &str) -> Option<i128> {
    match value {
        "u64::MAX" => Some(u64::MAX.into()),
        _ => value.parse().ok(),
    }
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text between the bracket that opens at the start of `text` and its match.
fn bracketed(text: &str) -> &str {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[1..i];
        }
    }
    panic!("unbalanced: {:.60}", text)
}

/// `const char*` -> `*const c_char`, `bnq_file**` -> `*mut *mut bnq_file`,
/// `void* const*` -> `*const *mut c_void`: a `const` before the base qualifies it,
/// one behind a star that pointer.
fn rust_type(c: &str) -> String {
    let mut levels = c.split('*').map(words);
    let base = levels.next().expect("a base type");
    let (mut constant, base) = match base.strip_prefix("const ") {
        Some(base) => (true, base),
        None => (false, &base[..]),
    };
    let mut ty = match base {
        "char" => "c_char".to_string(),
        "void" if !c.contains('*') => "()".to_string(),
        "void" => "c_void".to_string(),
        "float" => "f32".to_string(),
        "double" => "f64".to_string(),
        fixed if fixed.ends_with("_t") => {
            let bits = fixed.trim_start_matches("uint").trim_start_matches("int");
            format!("{}{}", &fixed[..1], bits.trim_end_matches("_t"))
        }
        other => other.to_string(),
    };
    for level in levels {
        ty = format!("*{} {}", if constant { "const" } else { "mut" }, ty);
        constant = level == "const";
    }
    ty
}

/// The types of a function or callback of the description.
fn c_signature(function: &Value) -> Signature {
    let parameters = list(function, "parameters").iter();
    let types = parameters.map(|p| rust_type(string(p, "type"))).collect();
    (types, rust_type(string(function, "returns")))
}

fn c_functions(abi: &Value) -> BTreeMap<String, Signature> {
    let functions = list(abi, "functions").iter();
    functions
        .map(|f| (string(f, "name").to_string(), c_signature(f)))
        .collect()
}

fn rust_functions(source: &str) -> BTreeMap<String, Signature> {
    let mut functions = BTreeMap::new();
    // Others are the crate's own.
    for (at, _) in source.match_indices("pub fn bnq_") {
        let declaration = &source[at + "pub fn ".len()..];
        let open = declaration.find('(').expect("parameters");
        let list = bracketed(&declaration[open..]);
        let types = list
            .split(',')
            .filter(|p| !p.trim().is_empty())
            .map(|p| words(p.split_once(':').expect("name: type").1))
            .collect();
        let after = &declaration[open + list.len() + 2..];
        let result = &after[..after.find(';').expect("an end")];
        let result = result
            .trim()
            .strip_prefix("->")
            .map_or("()".to_string(), words);
        functions.insert(declaration[..open].to_string(), (types, result));
    }
    functions
}

/// The constants of all enums, and the macros that are numbers.
fn c_constants(abi: &Value) -> BTreeMap<String, i128> {
    let number = |value: &Value| match (value.as_i64(), value.as_u64()) {
        (Some(value), _) => i128::from(value),
        (_, Some(value)) => i128::from(value),
        _ => panic!("not a number: {}", value),
    };
    let enums = list(abi, "enums").iter();
    let mut constants: BTreeMap<_, _> = enums
        .flat_map(|values| values.as_array().expect("an enum"))
        .map(|value| (string(value, "name").to_string(), number(&value["value"])))
        .collect();
    for (name, value) in abi["macros"].as_object().expect("macros") {
        // An expression of the others in Rust as in C; tests/layout.rs has it.
        if name != "BNQ_VERSION" {
            constants.insert(name.clone(), number(value));
        }
    }
    constants
}

fn rust_constants(source: &str) -> BTreeMap<String, i128> {
    let mut constants = BTreeMap::new();
    for (at, _) in source.match_indices("pub const ") {
        let (name, rest) = source[at + "pub const ".len()..]
            .split_once(':')
            .expect("a type");
        let value = rest
            .split_once('=')
            .expect("a value")
            .1
            .split(';')
            .next()
            .unwrap();
        if name != "BNQ_VERSION" {
            constants.insert(name.to_string(), number(&words(value)).expect("a number"));
        }
    }
    constants
}

#[test]
fn c_types_become_rust_types() {
    for (c, rust) in [
        ("void", "()"),
        ("uint64_t", "u64"),
        ("const char*", "*const c_char"),
        ("bnq_file**", "*mut *mut bnq_file"),
        ("const void**", "*mut *const c_void"),
        ("void* const*", "*const *mut c_void"),
        ("const bnq_tensor* const*", "*const *const bnq_tensor"),
    ] {
        assert_eq!(rust_type(c), rust, "{}", c);
    }
}

#[test]
fn functions_agree() {
    let (c, rust) = (c_functions(&abi()), rust_functions(&declarations()));
    assert!(c.contains_key("bnq_version"));
    for (name, signature) in &c {
        let declared = rust
            .get(name)
            .unwrap_or_else(|| panic!("{} is not declared", name));
        assert_eq!(
            declared.0.len(),
            signature.0.len(),
            "number of parameters of {}",
            name
        );
        assert_eq!(declared, signature, "types of {}", name);
    }
    for name in rust.keys() {
        assert!(c.contains_key(name), "{} is not in bnq.h", name);
    }
}

#[test]
fn constants_agree() {
    let (c, rust) = (c_constants(&abi()), rust_constants(&declarations()));
    assert_eq!(
        c.get("BNQ_ABI_VERSION"),
        Some(&i128::from(bitnet_quant_sys::BNQ_ABI_VERSION))
    );
    assert_eq!(c, rust);
}

/// `fn(A, B) -> R`.
fn pointer((parameters, result): Signature) -> String {
    format!("fn({}) -> {}", parameters.join(", "), result)
}

/// `Option<unsafe extern "C" fn(a: A, b: B) -> R>` -> `fn(A, B) -> R`.
fn rust_pointer(ty: &str) -> Option<String> {
    let function = ty.split_once("unsafe extern \"C\" fn")?.1.trim_end();
    let function = function.strip_suffix('>')?.trim_end().trim_end_matches(',');
    // The parser of functions wants a name and an end.
    let mut parsed = rust_functions(&format!("pub fn bnq_callback{};", function));
    parsed.remove("bnq_callback").map(pointer)
}

#[test]
fn callbacks_agree() {
    let source = declarations();
    for callback in list(&abi(), "callbacks") {
        let name = string(callback, "name");
        let at = source
            .find(&format!("pub type {} =", name))
            .unwrap_or_else(|| panic!("{} is not declared", name));
        let declaration = source[at..].split(';').next().unwrap();
        let rust = rust_pointer(&words(declaration)).expect("a function pointer");
        assert_eq!(pointer(c_signature(callback)), rust, "{}", name);
    }
}

/// `(name, type)` in order, of a struct that crosses the ABI by value.
fn c_fields(structure: &Value) -> Vec<(String, String)> {
    let fields = list(structure, "fields").iter();
    fields
        .map(|field| {
            let ty = match field.get("parameters") {
                Some(_) => pointer(c_signature(field)),
                None => rust_type(string(field, "type")),
            };
            (string(field, "name").to_string(), ty)
        })
        .collect()
}

fn rust_fields(source: &str, name: &str) -> Vec<(String, String)> {
    let at = source
        .find(&format!("pub struct {} {{", name))
        .expect("the struct");
    let body = bracketed(&source[at + source[at..].find('{').unwrap()..]);
    body.split("pub ")
        .skip(1)
        .map(|field| {
            let (name, ty) = field.split_once(':').expect("a type");
            let ty = words(ty.trim().trim_end_matches(','));
            (name.to_string(), rust_pointer(&ty).unwrap_or(ty))
        })
        .collect()
}

#[test]
fn structs_agree() {
    let source = declarations();
    for structure in list(&abi(), "structs") {
        let name = string(structure, "name");
        let fields = c_fields(structure);
        assert_eq!(fields, rust_fields(&source, name), "fields of {}", name);
    }
}
