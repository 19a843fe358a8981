//! Linear layers and embeddings: the shared vectors, lifetimes, what is refused.

mod common;

use bitnet_quant::{
    embedding, operator_options, Activation, ArrayView, Config, Context, Convolution, DType, Error,
    InputMode, Linear, MatrixView, MatrixViewMut, Operator, OperatorOption, OptionValue,
    OutputType, Part, PartData, QuantizedTensor, Result, Workspace,
};
use common::cases;
use common::json::{config, floats, integers, list, shape, text};
use serde_json::Value;

fn weight(context: &Context, case: &Value) -> QuantizedTensor {
    let config = config(&case["config"]).unwrap();
    let (values, dimensions) = (floats(&case["weight"]), shape(&case["weight_shape"]));
    let array = ArrayView::new(&values, &dimensions).unwrap();
    let weight = QuantizedTensor::quantize(context, &config, &array).unwrap();
    let Some(scales) = case.get("input_scales") else {
        return weight;
    };
    let bytes: Vec<u8> = floats(scales)
        .iter()
        .flat_map(|scale| scale.to_ne_bytes())
        .collect();
    let mut parts: Vec<PartData<'_>> = Part::ALL.iter().map(|&part| weight.part(part)).collect();
    let part = parts.iter_mut().find(|part| part.part == Part::InputScales);
    part.unwrap().bytes = &bytes;
    QuantizedTensor::from_parts(context, &config, &dimensions, &parts).unwrap()
}

fn operator(case: &Value) -> Operator {
    let options = case["options"].as_object().expect("options");
    let set = options
        .iter()
        .fold(Operator::builder(), |builder, (name, value)| {
            builder.set(name, text(value))
        });
    set.build().unwrap()
}

fn layer(context: &Context, case: &Value) -> Linear {
    with_parts(context, case, |operator, tensor, bias| {
        Linear::new(context, operator, tensor, bias).unwrap()
    })
}

/// Makes something of what a case's layer is made of.
fn with_parts<T>(
    context: &Context, case: &Value,
    new: impl FnOnce(&Operator, &QuantizedTensor, Option<&ArrayView<'_>>) -> T,
) -> T {
    let (tensor, operator) = (weight(context, case), operator(case));
    let new = |bias: Option<&ArrayView<'_>>| new(&operator, &tensor, bias);
    match case.get("bias_dtype").map(text) {
        None => new(None),
        Some("I32") => {
            let bias: Vec<i32> = integers(&case["bias"]);
            new(Some(&ArrayView::new(&bias, &[bias.len()]).unwrap()))
        }
        Some(_) => {
            let bias = floats(&case["bias"]);
            new(Some(&ArrayView::new(&bias, &[bias.len()]).unwrap()))
        }
    }
}

fn halves(values: &[f32], dtype: DType) -> Vec<u16> {
    let half = |value: &f32| {
        if dtype == DType::BF16 {
            return (value.to_bits() >> 16) as u16;
        }
        // Multiples of 1/64 below 4: normal numbers of binary16.
        let bits = value.to_bits();
        let sign = (bits >> 16) as u16 & 0x8000;
        if *value == 0.0 {
            return sign;
        }
        sign | ((((bits >> 23) & 0xff) as i32 - 112) << 10) as u16 | (bits >> 13) as u16 & 0x3ff
    };
    values.iter().map(half).collect()
}

/// The inputs of a case, from row to row.
struct Inputs {
    rows: usize,
    columns: usize,
    dtype: DType,
    floats: Vec<f32>,
    halves: Vec<u16>,
    signed: Vec<i8>,
    unsigned: Vec<u8>,
    scales: Vec<f32>,
    zero_points: Vec<i32>,
}

impl Inputs {
    fn new(case: &Value) -> Inputs {
        let dimensions = shape(&case["shape"]);
        let dtype: DType = text(&case["dtype"]).parse().unwrap();
        let codes = dtype == DType::I8 || dtype == DType::U8;
        let values = if codes {
            Vec::new()
        } else {
            floats(&case["input"])
        };
        let of_codes = |member: &str| case.get(member).filter(|list| !list.is_null()).cloned();
        Inputs {
            rows: dimensions[0],
            columns: dimensions[1..].iter().product(),
            dtype,
            halves: halves(&values, dtype),
            floats: values,
            signed: if dtype == DType::I8 {
                integers(&case["input"])
            } else {
                Vec::new()
            },
            unsigned: if dtype == DType::U8 {
                integers(&case["input"])
            } else {
                Vec::new()
            },
            scales: of_codes("scales").map_or(Vec::new(), |list| floats(&list)),
            zero_points: of_codes("zero_points").map_or(Vec::new(), |list| integers(&list)),
        }
    }

    /// Rows from `first` on.
    fn view(&self, first: usize, rows: usize) -> MatrixView<'_> {
        let (part, columns) = (
            first * self.columns..(first + rows) * self.columns,
            self.columns,
        );
        let view = match self.dtype {
            DType::F32 => MatrixView::new(&self.floats[part], rows, columns),
            DType::I8 => MatrixView::new(&self.signed[part], rows, columns),
            DType::U8 => MatrixView::new(&self.unsigned[part], rows, columns),
            dtype => MatrixView::from_bits(&self.halves[part], dtype, rows, columns),
        }
        .unwrap();
        if self.scales.is_empty() {
            return view;
        }
        let zero_points =
            (!self.zero_points.is_empty()).then(|| &self.zero_points[first..first + rows]);
        view.with_scales(&self.scales[first..first + rows], zero_points)
            .unwrap()
    }
}

/// What a run gives, as the vectors have it: bits or codes.
fn outputs(
    dtype: &str, rows: usize, columns: usize, run: impl FnOnce(&mut MatrixViewMut<'_>),
) -> Vec<i64> {
    let count = rows * columns;
    match dtype {
        "F32" => {
            let mut y = vec![0f32; count];
            run(&mut MatrixViewMut::new(&mut y, rows, columns).unwrap());
            y.iter().map(|v| v.to_bits().into()).collect()
        }
        "I8" => {
            let mut y = vec![0i8; count];
            run(&mut MatrixViewMut::new(&mut y, rows, columns).unwrap());
            y.into_iter().map(i64::from).collect()
        }
        "U8" => {
            let mut y = vec![0u8; count];
            run(&mut MatrixViewMut::new(&mut y, rows, columns).unwrap());
            y.into_iter().map(i64::from).collect()
        }
        half => {
            let (mut y, dtype) = (vec![0u16; count], half.parse().unwrap());
            run(&mut MatrixViewMut::from_bits(&mut y, dtype, rows, columns).unwrap());
            y.into_iter().map(i64::from).collect()
        }
    }
}

fn expected(case: &Value) -> Vec<i64> {
    let hex = |value: &Value| i64::from_str_radix(text(value), 16).unwrap();
    let number = |value: &Value| value.as_i64().unwrap_or_else(|| hex(value));
    list(&case["output"]).iter().map(number).collect()
}

#[test]
fn vectors() {
    let found = cases("linear.json");
    assert!(found.len() > 50);
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for case in &found {
            let name = text(&case["name"]);
            let (linear, inputs, dtype) = (
                layer(&context, case),
                Inputs::new(case),
                text(&case["output_dtype"]),
            );
            assert_eq!(linear.inputs(), inputs.columns, "{}", name);
            let wanted = expected(case);
            let (rows, columns) = (inputs.rows, linear.outputs());
            let all = outputs(dtype, rows, columns, |y| {
                linear
                    .forward(&context, &inputs.view(0, rows), y)
                    .expect(name);
            });
            assert_eq!(all, wanted, "{}", name);
            // Each row alone, in memory of the caller's.
            let mut workspace = Workspace::new(linear.workspace_bytes(1).unwrap());
            for (m, of_row) in wanted.chunks(columns).enumerate() {
                let alone = outputs(dtype, 1, columns, |y| {
                    let x = inputs.view(m, 1);
                    linear
                        .forward_with(&context, &x, y, &mut workspace)
                        .expect(name);
                });
                assert_eq!(alone, of_row, "{} row {}", name, m);
            }
            if shape(&case["weight_shape"]).len() == 2 {
                let integers = operator(case).check(&config(&case["config"]).unwrap());
                assert_eq!(integers.expect(name), case["integers"], "{}", name);
            }
        }
    }
}

#[test]
fn convolutions() {
    for threads in [1, 3] {
        let context = Context::with_threads(threads).unwrap();
        for case in &cases("convolution.json") {
            let name = text(&case["name"]);
            let convolution = with_parts(&context, case, |operator, tensor, bias| {
                Convolution::new(&context, operator, tensor, bias).expect(name)
            });
            let (images, wanted) = (shape(&case["shape"]), shape(&case["output_shape"]));
            let inputs = Inputs::new(case);
            let last = case["options"].get("layout").map(text) == Some("nhwc");
            let sides = |shape: &[usize]| {
                let sides = if last {
                    &shape[1..shape.len() - 1]
                } else {
                    &shape[2..]
                };
                let height = if sides.len() == 1 { 1 } else { sides[0] };
                (height, sides[sides.len() - 1])
            };
            let (height, width) = sides(&images);
            let channels = if last {
                wanted[wanted.len() - 1]
            } else {
                wanted[1]
            };
            let (down, across) = sides(&wanted);
            let found = convolution.output(height, width).expect(name);
            assert_eq!(found, (channels, down, across), "{}", name);
            let bytes = convolution
                .workspace_bytes(images[0], height, width)
                .unwrap();
            for mut workspace in [None, Some(Workspace::new(bytes))] {
                let columns = channels * down * across;
                let y = outputs(text(&case["output_dtype"]), images[0], columns, |y| {
                    let (x, memory) = (inputs.view(0, images[0]), workspace.as_mut());
                    convolution
                        .forward(&context, &x, (height, width), y, memory)
                        .expect(name);
                });
                assert_eq!(y, expected(case), "{}", name);
            }
        }
    }
}

fn some_weight(config: &str, rows: usize) -> Result<QuantizedTensor> {
    let values: Vec<f32> = (0..rows * 40).map(|i| (i as f32 * 0.37).sin()).collect();
    let array = ArrayView::new(&values, &[rows, 40])?;
    QuantizedTensor::quantize(&Context::new(), &config.parse::<Config>()?, &array)
}

fn some_inputs() -> Vec<f32> {
    (0..120).map(|i| (i as f32 * 0.11).cos()).collect()
}

fn run(linear: &Linear, x: &[f32]) -> Result<Vec<f32>> {
    let rows = x.len() / linear.inputs();
    let mut y = vec![0.0; rows * linear.outputs()];
    let mut output = MatrixViewMut::new(&mut y, rows, linear.outputs())?;
    let input = MatrixView::new(x, rows, linear.inputs())?;
    linear.forward(&Context::new(), &input, &mut output)?;
    Ok(y)
}

#[test]
fn several_layers_and_threads() -> Result<()> {
    let context = Context::with_threads(2)?;
    let bitnet = Operator::builder().input(InputMode::BitNet).build()?;
    let first = Linear::new(&context, &bitnet, &some_weight("ternary", 6)?, None)?;
    let second = Linear::new(&context, &Operator::new()?, &some_weight("nf4", 4)?, None)?;
    let x = some_inputs();
    let (one, two) = (run(&first, &x)?, run(&second, &x)?);
    let (mut a, mut b) = (vec![0.0f32; 18], vec![0.0f32; 12]);
    let bytes = first.workspace_bytes(3)? + second.workspace_bytes(3)?;
    let mut workspace = Workspace::new(bytes);
    for given in [None, Some(&mut workspace)] {
        let mut ys = [
            MatrixViewMut::new(&mut a, 3, 6)?,
            MatrixViewMut::new(&mut b, 3, 4)?,
        ];
        let input = MatrixView::new(&x, 3, 40)?;
        Linear::run_many(&[&first, &second], &context, &input, &mut ys, given)?;
        assert_eq!((&a, &b), (&one, &two));
        a.fill(0.0);
        b.fill(0.0);
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(run(&first, &x).unwrap(), one));
        }
    });
    let input = MatrixView::new(&x, 3, 40)?;
    Linear::run_many(&[], &context, &input, &mut [], None)?;
    let refused = Linear::run_many(&[&first], &context, &input, &mut [], None);
    assert!(matches!(refused, Err(Error::InvalidArgument(_))));
    Ok(())
}

/// The layer keeps what its weight borrows.
#[test]
fn weights_may_go_first() -> Result<()> {
    let context = Context::new();
    let config: Config = "int8,granularity=channel".parse()?;
    let tensor = some_weight("int8,granularity=channel", 6)?;
    let codes = tensor.codes().to_vec();
    let scales = tensor.scales().to_vec();
    let owned =
        QuantizedTensor::from_owned_codes(&context, &config, &[6, 40], codes, scales, vec![])?;
    let linear = Linear::new(&context, &Operator::new()?, &owned, None)?;
    drop(owned);
    let same = Linear::new(&context, &Operator::new()?, &tensor, None)?;
    assert_eq!(run(&linear, &some_inputs())?, run(&same, &some_inputs())?);
    Ok(())
}

#[test]
fn options() -> Result<()> {
    let operator = Operator::builder()
        .input(InputMode::Static)
        .input_scale(0.5)
        .input_zero_point(-3)
        .function(Activation::LeakyRelu(0.25))
        .output(OutputType::UInt8)
        .output_scale(2.0)
        .output_zero_point(128)
        .build()?;
    let slope = operator.to_builder().build()?.get(OperatorOption::SLOPE)?;
    assert_eq!(slope, OptionValue::Float(0.25));
    assert!(format!("{:?}", operator).contains("input: static"));
    assert!(operator.check(&"int8".parse()?)?);
    assert!(operator_options().contains(&OperatorOption::INPUT));
    assert_eq!("bitnet".parse::<InputMode>()?, InputMode::BitNet);
    let refused = Operator::builder().output_scale(-1.0).build();
    assert!(matches!(refused, Err(Error::InvalidArgument(_))));
    let incomplete = Operator::builder().output(OutputType::Int8).build()?;
    let refused = incomplete.check(&"int8".parse()?);
    assert!(matches!(refused, Err(Error::InvalidArgument(text)) if text.contains("output_scale")));
    Ok(())
}

#[test]
fn refusals() -> Result<()> {
    let linear = Linear::new(
        &Context::new(),
        &Operator::builder().input(InputMode::Int8).build()?,
        &some_weight("int8", 6)?,
        None,
    )?;
    let mut x = some_inputs();
    x[41] = f32::NAN;
    assert!(matches!(run(&linear, &x), Err(Error::NonFinite(text)) if text.contains("x[1, 1]")));
    let mut y = [0.0f32; 12];
    let mut short = MatrixViewMut::new(&mut y, 2, 6)?;
    let input = MatrixView::new(&x, 3, 40)?;
    let refused = linear.forward(&Context::new(), &input, &mut short);
    assert!(matches!(refused, Err(Error::InvalidArgument(text)) if text.contains("[3, 6]")));
    let mut y = [0.0f32; 18];
    let mut output = MatrixViewMut::new(&mut y, 3, 6)?;
    let mut workspace = Workspace::new(linear.workspace_bytes(3)? - 1);
    let refused = linear.forward_with(&Context::new(), &input, &mut output, &mut workspace);
    assert!(matches!(refused, Err(Error::InvalidArgument(text)) if text.contains("workspace")));
    Ok(())
}

#[test]
fn embeddings() -> Result<()> {
    let context = Context::new();
    let table = some_weight("int4_per_group_32", 6)?;
    let rows = table.dequantize(&context)?;
    let mut y = [0.0f32; 120];
    let mut output = MatrixViewMut::new(&mut y, 3, 40)?;
    embedding(&context, &table, &[5, 0, 5], &mut output)?;
    assert_eq!(y[..40], rows[200..]);
    assert_eq!(y[40..80], rows[..40]);
    assert_eq!(y[80..], rows[200..]);
    let mut output = MatrixViewMut::new(&mut y, 3, 40)?;
    let refused = embedding(&context, &table, &[0, -1, 2], &mut output);
    assert!(matches!(refused, Err(Error::InvalidArgument(text)) if text.contains("index 1 = -1")));
    Ok(())
}
