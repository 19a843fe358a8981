//! The declarations against the C header: every function with the same types,
//! every constant with the same value, every struct with the same fields. What
//! is in one but not in the other is an error both ways.

use std::collections::BTreeMap;
use std::fs;

/// A function's parameter types and return type, spelled as Rust types.
type Signature = (Vec<String>, String);

fn header() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../capi/include/bnq/bnq.h"
    );
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {}", path, e));
    strip_preprocessor(&strip_comments(&text, "/*", "*/"))
}

fn declarations() -> String {
    let files = [
        include_str!("../src/ids.rs"),
        include_str!("../src/lib.rs"),
        include_str!("../src/calibration.rs"),
    ];
    strip_comments(&files.concat(), "//", "\n")
}

fn strip_comments(text: &str, open: &str, close: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        out.push_str(&rest[..start]);
        out.push('\n');
        let end = rest[start..].find(close).expect("comment without an end");
        rest = &rest[start + end + close.len()..];
    }
    out + rest
}

/// A number in decimal, or the name that a language has for the greatest one.
fn number(value: &str) -> Option<i128> {
    match value {
        "UINT64_MAX" | "u64::MAX" => Some(u64::MAX.into()),
        _ => value.parse().ok(),
    }
}

/// Drops preprocessor lines (and those they continue on), except `#define NAME
/// number`, which becomes `enum { NAME = number };`.
fn strip_preprocessor(text: &str) -> String {
    let mut out = String::new();
    for line in text.replace("\\\n", " ").lines() {
        if !line.trim_start().starts_with('#') {
            out.push_str(line);
            out.push('\n');
        } else if let ["#define", name, value] = line.split_whitespace().collect::<Vec<_>>()[..] {
            if number(value).is_some() {
                out.push_str(&format!("enum {{ {} = {} }};\n", name, value));
            }
        }
    }
    out
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

fn c_parameters(list: &str) -> Vec<String> {
    let list = words(list);
    if list == "void" {
        return Vec::new();
    }
    list.split(',')
        .map(|p| {
            let name = p
                .rfind(|c: char| !c.is_alphanumeric() && c != '_')
                .expect("a name")
                + 1;
            rust_type(&p[..name])
        })
        .collect()
}

fn c_functions(header: &str) -> BTreeMap<String, Signature> {
    let mut functions = BTreeMap::new();
    for (at, _) in header.match_indices("BNQ_API ") {
        let declaration = &header[at + "BNQ_API ".len()..];
        let open = declaration.find('(').expect("parameters");
        let name_at = declaration[..open].rfind([' ', '*']).expect("a name") + 1;
        let parameters = c_parameters(bracketed(&declaration[open..]));
        let signature = (parameters, rust_type(&declaration[..name_at]));
        let name = declaration[name_at..open].to_string();
        assert!(
            functions.insert(name, signature).is_none(),
            "declared twice"
        );
    }
    functions
}

fn rust_functions(source: &str) -> BTreeMap<String, Signature> {
    let mut functions = BTreeMap::new();
    for (at, _) in source.match_indices("pub fn ") {
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

/// `BNQ_X = 3` of all enums.
fn c_constants(header: &str) -> BTreeMap<String, i128> {
    let mut constants = BTreeMap::new();
    for (at, _) in header.match_indices("enum {") {
        for entry in bracketed(&header[at + "enum ".len()..]).split(',') {
            if entry.trim().is_empty() {
                continue;
            }
            let (name, value) = entry.split_once('=').expect("every constant has a value");
            constants.insert(words(name), number(&words(value)).expect("a number"));
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
        // BNQ_VERSION is an expression of the others; tests/layout.rs has it.
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
    let (c, rust) = (c_functions(&header()), rust_functions(&declarations()));
    assert!(
        c.contains_key("bnq_version") && c.contains_key("bnq_tensor_compare_histogram"),
        "parser is blind"
    );
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
    let (c, rust) = (c_constants(&header()), rust_constants(&declarations()));
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

/// `R (*name)(A a, B b)` -> name and `fn(A, B) -> R`.
fn c_pointer(declaration: &str) -> Option<(String, String)> {
    let (result, rest) = declaration.split_once("(*")?;
    let (name, rest) = rest.split_once(')').expect("a name");
    let parameters = c_parameters(bracketed(rest.trim_start()));
    Some((name.to_string(), pointer((parameters, rust_type(result)))))
}

/// `Option<unsafe extern "C" fn(a: A, b: B) -> R>` -> `fn(A, B) -> R`.
fn rust_pointer(ty: &str) -> Option<String> {
    let function = ty.split_once("unsafe extern \"C\" fn")?.1.trim_end();
    let function = function.strip_suffix('>')?.trim_end().trim_end_matches(',');
    // The parser of functions wants a name and an end.
    let mut parsed = rust_functions(&format!("pub fn callback{};", function));
    parsed.remove("callback").map(pointer)
}

#[test]
fn callbacks_agree() {
    let (header, source) = (header(), declarations());
    for name in [
        "bnq_task_fn",
        "bnq_log_fn",
        "bnq_progress_fn",
        "bnq_metric_fn",
    ] {
        let at = header.find(&format!("(*{})", name)).expect("the callback");
        let start = header[..at].rfind("typedef").expect("typedef") + "typedef".len();
        let c = c_pointer(&header[start..]).expect("a function pointer");
        let at = source
            .find(&format!("pub type {} =", name))
            .expect("the callback");
        let declaration = source[at..].split(';').next().unwrap();
        let rust = rust_pointer(&words(declaration)).expect("a function pointer");
        assert_eq!(c, (name.to_string(), rust));
    }
}

/// `(name, type)` in order, of the structs that cross the ABI by value.
fn c_fields(header: &str, name: &str) -> Vec<(String, String)> {
    let at = header
        .find(&format!("typedef struct {} {{", name))
        .expect("the struct");
    let body = bracketed(&header[at + header[at..].find('{').unwrap()..]);
    body.split(';')
        .map(words)
        .filter(|field| !field.is_empty())
        .map(|field| {
            c_pointer(&field).unwrap_or_else(|| {
                let at = field.rfind([' ', '*']).unwrap() + 1;
                (field[at..].to_string(), rust_type(&field[..at]))
            })
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
    let (header, source) = (header(), declarations());
    for name in ["bnq_array", "bnq_allocator", "bnq_runner"] {
        let fields = c_fields(&header, name);
        assert!(fields.len() >= 3, "parser is blind");
        assert_eq!(fields, rust_fields(&source, name), "fields of {}", name);
    }
}
