//! Arrays of ndarray (feature `ndarray`): in and out without a copy, and refused where they are
//! not laid out so.
#![cfg(feature = "ndarray")]

mod common;

use bitnet_quant::{
    ArrayView, Config, Context, Linear, MatrixView, MatrixViewMut, Operator, Output,
    QuantizedTensor,
};
use common::{refused, weights};
use ndarray::{s, Array, Array2, Array3, ArrayD, Axis, IxDyn, ShapeBuilder};

#[test]
fn arrays_are_views_of_the_same_memory() {
    let array = Array::from_shape_vec((4, 3, 8), weights(96)).unwrap();
    let view = ArrayView::try_from(&array).unwrap();
    assert_eq!(view.shape(), [4, 3, 8]);
    assert_eq!(view.as_bytes().as_ptr(), array.as_ptr().cast());
    // A part that lies together, of any rank, also borrowed, and other elements.
    let part = array.slice(s![1..3, .., ..]);
    let view = ArrayView::try_from(&part).unwrap();
    assert_eq!(view.as_bytes().as_ptr(), part.as_ptr().cast());
    assert_eq!(view.as_bytes().len(), 2 * 3 * 8 * 4);
    let any: ArrayD<f64> = ArrayD::zeros(IxDyn(&[2, 0, 5]));
    assert_eq!(ArrayView::try_from(&any).unwrap().shape(), [2, 0, 5]);
    let scalar = ArrayD::<f32>::zeros(IxDyn(&[]));
    assert!(ArrayView::try_from(&scalar).unwrap().shape().is_empty());
    let shared = array.clone().into_shared();
    assert!(ArrayView::try_from(&shared).is_ok());
}

#[test]
fn other_layouts_are_refused_by_their_strides() {
    let array = Array3::<f32>::zeros((4, 3, 8));
    let mut turned = array.clone();
    turned.invert_axis(Axis(1));
    let columns = Array2::<f32>::zeros((4, 3).f());
    refused(
        ArrayView::try_from(&array.t()),
        &[
            "strides [1, 8, 24] of shape [8, 3, 4]",
            "as_standard_layout()",
        ],
    );
    refused(ArrayView::try_from(&turned), &["strides [24, -8, 1]"]);
    refused(
        ArrayView::try_from(&columns),
        &["strides [1, 4] of shape [4, 3]"],
    );
    refused(
        ArrayView::try_from(&array.slice(s![.., .., 1..])),
        &["strides [24, 8, 1] of shape [4, 3, 7]"],
    );
    assert!(ArrayView::try_from(&array.t().as_standard_layout()).is_ok());
    let mut out = Array2::<f32>::zeros((3, 4));
    let mut turned = out.view_mut().reversed_axes();
    refused(Output::try_from(&mut turned), &["strides [1, 4]"]);
}

#[test]
fn tensors_come_back_as_arrays() {
    let context = Context::new();
    let array = Array::from_shape_vec((6, 5, 64), weights(6 * 5 * 64)).unwrap();
    let config: Config = "int8".parse().unwrap();
    let view = ArrayView::try_from(&array).unwrap();
    let tensor = QuantizedTensor::quantize(&context, &config, &view).unwrap();
    let restored = tensor.to_ndarray(&context).unwrap();
    assert_eq!(restored.shape(), array.shape());
    assert_eq!(
        restored.as_slice().unwrap(),
        tensor.dequantize(&context).unwrap()
    );
    // Into a part of a caller's array; the rest stays.
    let mut all = Array::from_elem((3, 6, 5, 64), 7.0f32);
    let mut part = all.index_axis_mut(Axis(0), 1);
    let output = Output::try_from(&mut part).unwrap();
    tensor.dequantize_into(&context, output).unwrap();
    assert_eq!(all.index_axis(Axis(0), 1).into_dyn(), restored);
    assert!(all.index_axis(Axis(0), 0).iter().all(|&x| x == 7.0));
    assert!(all.index_axis(Axis(0), 2).iter().all(|&x| x == 7.0));
}

/// Operators read and write parts of matrices where they lie.
#[test]
fn rows_of_matrices_may_be_apart() {
    let context = Context::new();
    let weight = weights(16 * 64);
    let array = ArrayView::new(&weight, &[16, 64]).unwrap();
    let config: Config = "int8".parse().unwrap();
    let tensor = QuantizedTensor::quantize(&context, &config, &array).unwrap();
    let linear = Linear::new(&context, &Operator::new().unwrap(), &tensor, None).unwrap();

    let wide = Array::from_shape_vec((5, 100), weights(500)).unwrap();
    let x = wide.slice(s![.., 20..84]);
    let mut expected = Array2::<f32>::zeros((5, 16));
    let copy = x.as_standard_layout();
    linear
        .forward(
            &context,
            &MatrixView::try_from(&copy).unwrap(),
            &mut MatrixViewMut::try_from(&mut expected).unwrap(),
        )
        .unwrap();
    let mut out = Array::from_elem((5, 40), 7.0f32);
    let mut y = out.slice_mut(s![.., 3..19]);
    linear
        .forward(
            &context,
            &MatrixView::try_from(&x).unwrap(),
            &mut MatrixViewMut::try_from(&mut y).unwrap(),
        )
        .unwrap();
    assert_eq!(out.slice(s![.., 3..19]), expected);
    assert!(expected.iter().any(|&y| y != 0.0));
    assert!(out.slice(s![.., ..3]).iter().all(|&y| y == 7.0));
    assert!(out.slice(s![.., 19..]).iter().all(|&y| y == 7.0));

    // Every other row is fine, every other column is not, nor rows from last to first.
    let rows = wide.slice(s![..;2, ..64]);
    assert_eq!(MatrixView::try_from(&rows).unwrap().rows(), 3);
    refused(
        MatrixView::try_from(&wide.slice(s![.., ..;2])),
        &["strides [100, 2] of shape [5, 50]"],
    );
    refused(
        MatrixView::try_from(&wide.slice(s![..;-1, ..])),
        &["strides [-100, 1]"],
    );
    let row = wide.index_axis(Axis(0), 2);
    let repeated = row.broadcast((4, 100)).unwrap();
    refused(MatrixView::try_from(&repeated), &["strides [0, 1]"]);
}
