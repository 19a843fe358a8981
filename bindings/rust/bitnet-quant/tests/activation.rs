//! Activation functions and norms: the vectors that every language shares, and matrices.

mod common;

use bitnet_quant::{
    activate, activate_in_place, layer_norm, rms_norm, softmax, softmax_in_place, Activation,
    Context, DType, Error, MatrixView, MatrixViewMut,
};
use common::json::{bits, float_bits, floats, integers, number, shape, text};
use common::{cases, refused};
use serde_json::Value;

const ALL: [Activation; 11] = [
    Activation::None,
    Activation::Relu,
    Activation::Relu6,
    Activation::LeakyRelu(0.125),
    Activation::SquaredRelu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::HardSwish,
];

fn operate(case: &Value, context: &Context, x: &MatrixView<'_>, y: &mut MatrixViewMut<'_>) {
    let optional = |member: &str| case.get(member).map(floats);
    let (weight, bias) = (optional("weight"), optional("bias"));
    let name = text(&case["name"]);
    match text(&case["operator"]) {
        "softmax" => softmax(context, x, y),
        "rms_norm" => rms_norm(context, x, weight.as_deref(), number(&case["eps"]), y),
        "layer_norm" => {
            let eps = number(&case["eps"]);
            layer_norm(context, x, weight.as_deref(), bias.as_deref(), eps, y)
        }
        _ => {
            let wanted = text(&case["function"]);
            let function = ALL.iter().find(|f| f.name() == wanted).expect(wanted);
            activate(context, *function, x, y)
        }
    }
    .expect(name);
}

#[test]
fn vectors() {
    let context = Context::default();
    for case in cases("activations.json") {
        let name = text(&case["name"]);
        let (rows, columns) = (shape(&case["shape"])[0], shape(&case["shape"])[1]);
        let scales = case.get("scales").map(floats).unwrap_or_default();
        let zeros: Vec<i32> = case.get("zero_points").map(integers).unwrap_or_default();
        let (values, signed, unsigned): (Vec<f32>, Vec<i8>, Vec<u8>);
        let x = match text(&case["dtype"]) {
            "F32" => {
                values = floats(&case["input"]);
                MatrixView::new(&values, rows, columns)
            }
            "I8" => {
                signed = integers(&case["input"]);
                MatrixView::new(&signed, rows, columns)
                    .and_then(|x| x.with_scales(&scales, Some(&zeros)))
            }
            _ => {
                unsigned = integers(&case["input"]);
                MatrixView::new(&unsigned, rows, columns)
                    .and_then(|x| x.with_scales(&scales, Some(&zeros)))
            }
        }
        .expect(name);
        let scales = case.get("output_scales").map(floats).unwrap_or_default();
        let zeros: Vec<i32> = case
            .get("output_zero_points")
            .map(integers)
            .unwrap_or_default();
        let count = rows * columns;
        match text(&case["output_dtype"]) {
            "F32" => {
                let mut out = vec![0f32; count];
                operate(
                    &case,
                    &context,
                    &x,
                    &mut MatrixViewMut::new(&mut out, rows, columns).unwrap(),
                );
                assert_eq!(bits(&out), float_bits(&case["output"]), "{}", name);
            }
            "I8" => {
                let mut out = vec![0i8; count];
                let y = MatrixViewMut::new(&mut out, rows, columns).unwrap();
                operate(
                    &case,
                    &context,
                    &x,
                    &mut y.with_scales(&scales, Some(&zeros)).unwrap(),
                );
                assert_eq!(out, integers::<i8>(&case["output"]), "{}", name);
            }
            "U8" => {
                let mut out = vec![0u8; count];
                let y = MatrixViewMut::new(&mut out, rows, columns).unwrap();
                operate(
                    &case,
                    &context,
                    &x,
                    &mut y.with_scales(&scales, Some(&zeros)).unwrap(),
                );
                assert_eq!(out, integers::<u8>(&case["output"]), "{}", name);
            }
            half => {
                let dtype: DType = half.parse().unwrap();
                let mut out = vec![0u16; count];
                let mut y = MatrixViewMut::from_bits(&mut out, dtype, rows, columns).unwrap();
                operate(&case, &context, &x, &mut y);
                let wide: Vec<u32> = out.iter().map(|&b| u32::from(b)).collect();
                assert_eq!(wide, float_bits(&case["output"]), "{}", name);
            }
        }
    }
}

#[test]
fn rows_may_be_apart_and_results_in_place() {
    let context = Context::default();
    let mut wide = [1.0f32, 1.0, 9.0, -3.0, -3.0, 9.0];
    let mut y = MatrixViewMut::strided(&mut wide, 2, 2, 3).unwrap();
    softmax_in_place(&context, &mut y).unwrap();
    activate_in_place(&context, Activation::SquaredRelu, &mut y).unwrap();
    assert_eq!(wide, [0.25, 0.25, 9.0, 0.25, 0.25, 9.0]);
}

#[test]
fn what_is_no_matrix_is_refused() {
    let context = Context::default();
    let x = [0.0f32; 6];
    refused(MatrixView::new(&x, 2, 4), &["elements"]);
    refused(MatrixView::strided(&x, 2, 3, 4), &["stride"]);
    refused(MatrixView::strided(&x, 3, 3, 1), &["stride"]);
    refused(MatrixView::new(&x, usize::MAX, usize::MAX), &["rows"]);
    let view = MatrixView::new(&x, 2, 3).unwrap();
    refused(view.with_scales(&[1.0], None), &["scales"]);
    let mut out = [0.0f32; 6];
    let mut y = MatrixViewMut::new(&mut out, 3, 2).unwrap();
    refused(
        softmax(&context, &view, &mut y),
        &["y is a matrix of 3 x 2"],
    );
    let mut y = MatrixViewMut::new(&mut out, 2, 3).unwrap();
    refused(
        rms_norm(&context, &view, Some(&[1.0]), 0.0, &mut y),
        &["weight"],
    );
    refused(
        activate(&context, Activation::LeakyRelu(f32::NAN), &view, &mut y),
        &["slope = nan"],
    );
    let codes = [0i8; 6];
    let codes = MatrixView::new(&codes, 2, 3).unwrap();
    assert!(matches!(
        softmax(&context, &codes, &mut y),
        Err(Error::Unsupported(_))
    ));
}
