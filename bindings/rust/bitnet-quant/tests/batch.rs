//! Batches: the caller's buffers, errors that name the item, threads.

mod common;

use bitnet_quant::{
    dequantize_batch, dequantize_batch_into, quantize_batch, quantize_batch_into, quantize_into,
    ArrayView, Config, Context, DType, Error, Output, QuantizedOutput, QuantizedSizes,
    QuantizedTensor,
};
use common::{refused, weights};

const SHAPES: [&[usize]; 5] = [&[40, 50], &[7], &[3, 0, 5], &[2, 9, 31], &[]];

/// Arrays of all the shapes, one after the other in one list of numbers.
fn arrays(values: &[f32]) -> Vec<ArrayView<'_>> {
    let mut rest = values;
    SHAPES
        .iter()
        .map(|shape| {
            let (own, others) = rest.split_at(shape.iter().product());
            rest = others;
            ArrayView::new(own, shape).unwrap()
        })
        .collect()
}

struct Buffers {
    codes: Vec<u8>,
    scales: Vec<u8>,
    zero_points: Vec<i8>,
}

impl Buffers {
    fn new(config: &Config, array: &ArrayView<'_>) -> Buffers {
        let sizes = QuantizedSizes::new(config, &array.shape()).unwrap();
        Buffers {
            codes: vec![0xa5; sizes.code_bytes],
            scales: vec![0xa5; sizes.scale_bytes],
            zero_points: vec![0x5a; sizes.zero_points],
        }
    }

    fn output(&mut self) -> QuantizedOutput<'_> {
        QuantizedOutput::new(&mut self.codes, &mut self.scales, &mut self.zero_points)
    }
}

#[test]
fn a_batch_is_every_array_by_itself() {
    let values = weights(4000);
    let arrays = arrays(&values);
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for text in [
            "default",
            "aggressive",
            "int8_asymmetric",
            "int8_dynamic",
            "int4_per_group_32,rounding=stochastic,seed=3",
            "nf4_double_quant",
            "f16",
        ] {
            let config: Config = text.parse().unwrap();
            let single = |array| QuantizedTensor::quantize(&context, &config, array).unwrap();
            let expected: Vec<_> = arrays.iter().map(single).collect();

            let batch = quantize_batch(&context, &config, &arrays).unwrap();
            assert_eq!(batch.len(), SHAPES.len());
            let mut buffers: Vec<_> = arrays.iter().map(|a| Buffers::new(&config, a)).collect();
            let outputs = buffers.iter_mut().map(Buffers::output);
            quantize_batch_into(&context, &config, &arrays, outputs).unwrap();
            for (i, one) in expected.iter().enumerate() {
                let (many, into) = (&batch[i], &buffers[i]);
                assert_eq!(many.shape(), SHAPES[i], "{}", text);
                assert_eq!(many.config().unwrap(), one.config().unwrap(), "{}", text);
                assert_eq!(many.codes(), one.codes(), "{}", text);
                assert_eq!(many.scale_data(), one.scale_data(), "{}", text);
                assert_eq!(many.zero_points(), one.zero_points(), "{}", text);
                assert_eq!(many.saturated_scales(), one.saturated_scales(), "{}", text);
                assert_eq!(into.codes, one.codes(), "{}", text);
                assert_eq!(into.scales, one.scale_data(), "{}", text);
                assert_eq!(into.zero_points, one.zero_points(), "{}", text);
            }

            let values: Vec<_> = expected
                .iter()
                .map(|tensor| tensor.dequantize(&context).unwrap())
                .collect();
            assert_eq!(
                dequantize_batch(&context, &batch).unwrap(),
                values,
                "{}",
                text
            );
            // By reference, into one list of numbers.
            let references: Vec<&QuantizedTensor> = batch.iter().rev().collect();
            let mut all = vec![f32::NAN; batch.iter().map(|tensor| tensor.elements()).sum()];
            let mut rest = &mut all[..];
            let mut outs = Vec::new();
            for tensor in &references {
                let (own, others) = rest.split_at_mut(tensor.elements());
                outs.push(own);
                rest = others;
            }
            dequantize_batch_into(&context, &references, outs).unwrap();
            let reversed: Vec<f32> = values.iter().rev().flatten().copied().collect();
            assert_eq!(all, reversed, "{}", text);
        }
    }
}

#[test]
fn halves() {
    let context = Context::with_threads(2).unwrap();
    let values = weights(4000);
    let config = "int8_per_group_128".parse().unwrap();
    let tensors = quantize_batch(&context, &config, &arrays(&values)).unwrap();
    for dtype in [DType::F16, DType::BF16] {
        let mut all: Vec<Vec<u16>> = tensors.iter().map(|t| vec![1; t.elements()]).collect();
        let outs: Vec<_> = all
            .iter_mut()
            .map(|out| Output::from_bits(out, dtype).unwrap())
            .collect();
        dequantize_batch_into(&context, &tensors, outs).unwrap();
        for (tensor, halves) in tensors.iter().zip(&all) {
            let mut expected = vec![0; tensor.elements()];
            let out = Output::from_bits(&mut expected, dtype).unwrap();
            tensor.dequantize_into(&context, out).unwrap();
            assert_eq!(halves, &expected);
        }
    }
}

#[test]
fn empty_batches() {
    let context = Context::new();
    let config = Config::new().unwrap();
    assert!(quantize_batch(&context, &config, &[]).unwrap().is_empty());
    quantize_batch_into(&context, &config, &[], []).unwrap();
    let none: [QuantizedTensor; 0] = [];
    assert!(dequantize_batch(&context, &none).unwrap().is_empty());
}

#[test]
fn errors_name_the_item() {
    let context = Context::with_threads(2).unwrap();
    let mut values = weights(4000);
    values[2005] = f32::NAN;
    let arrays = arrays(&values);
    let config: Config = "int8_per_group_128".parse().unwrap();
    let error = quantize_batch(&context, &config, &arrays).unwrap_err();
    assert!(
        matches!(&error, Error::NonFinite(text) if text.contains("array 1") && text.contains('5')),
        "{}",
        error
    );

    let zero = config
        .to_builder()
        .non_finite(bitnet_quant::NonFinite::Zero)
        .build()
        .unwrap();
    let into = |change: &dyn Fn(&mut Vec<Buffers>)| {
        let mut buffers: Vec<_> = arrays.iter().map(|a| Buffers::new(&zero, a)).collect();
        change(&mut buffers);
        let outputs = buffers.iter_mut().map(Buffers::output);
        quantize_batch_into(&context, &zero, &arrays, outputs)
    };
    into(&|_| {}).unwrap();
    refused(into(&|b| drop(b.pop())), &["outputs", "4", "5"]);
    refused(into(&|b| b[3].codes.push(0)), &["array 3", "559", "558"]);
    refused(into(&|b| b[1].scales.truncate(2)), &["array 1", "scale"]);
    refused(into(&|b| b[0].zero_points.push(0)), &["array 0", "zero"]);

    // An axis that one of the arrays does not have.
    let axis = "int8_per_channel,axis=1".parse().unwrap();
    let error = quantize_batch(&context, &axis, &arrays).unwrap_err();
    assert!(error.message().contains("array 1: "), "{}", error);
    // How many outliers there are depends on the data.
    let outliers: Config = "int8_outliers,non_finite=zero".parse().unwrap();
    let mut buffers = Buffers::new(&outliers, &arrays[0]);
    refused(
        quantize_into(&context, &outliers, &arrays[0], buffers.output()),
        &["outlier"],
    );
    refused(
        quantize_batch_into(&context, &outliers, &arrays[..1], [buffers.output()]),
        &["outlier"],
    );

    let tensors = quantize_batch(&context, &zero, &arrays).unwrap();
    let mut outs: Vec<Vec<f32>> = tensors.iter().map(|t| vec![0.0; t.elements()]).collect();
    outs[3].push(0.0);
    refused(
        dequantize_batch_into(&context, &tensors, &mut outs),
        &["tensor 3", "out", "559", "558"],
    );
    refused(
        dequantize_batch_into(&context, &tensors, &mut outs[..2]),
        &["outs", "2", "5"],
    );
    let mut halves = vec![0u16; tensors[1].elements()];
    let mixed = [
        Output::from(&mut outs[0]),
        Output::from_bits(&mut halves, DType::F16).unwrap(),
    ];
    refused(
        dequantize_batch_into(&context, &tensors[..2], mixed),
        &["tensor 1", "F16", "F32"],
    );
}
