//! Finds the edges of pictures by a convolution whose weights are ternary: three times three
//! of -1, 0 and 1 for each of four directions (Prewitt), in integers on the pixels where they
//! lie in a mapped file. Prints the first pictures and their edges, and the FNV-1a of all
//! outputs: in every language the same.
//!
//! `cargo run --example edges -- IMAGES.safetensors`
//!
//! IMAGES has "images", uint8 0..16, each of 8 x 8 pixels.

use bitnet_quant::{
    ArrayView, Context, Convolution, File, MatrixView, MatrixViewMut, Operator, QuantizedTensor,
};
use std::env;
use std::error::Error;
use std::process::exit;

const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
const DIRECTIONS: usize = 4;
const SHOWN: usize = 3;
const SHADES: &[u8] = b" .:-=+*#%@";

const FILTERS: [[i8; 9]; DIRECTIONS] = [
    [1, 1, 1, 0, 0, 0, -1, -1, -1], // up
    [1, 1, 0, 1, 0, -1, 0, -1, -1], // up left
    [1, 0, -1, 1, 0, -1, 1, 0, -1], // left
    [0, -1, -1, 1, 0, -1, 1, 1, 0], // down left
];

fn main() {
    if let Err(error) = run() {
        eprintln!("error: {}", error);
        exit(1);
    }
}

/// Pixels of 1/16 each, with a frame of 0 around them.
fn make_filters(context: &Context) -> Result<Convolution, Box<dyn Error>> {
    let values: Vec<f32> = FILTERS.concat().into_iter().map(f32::from).collect();
    let config = "ternary,granularity=tensor,scale_rule=absmax".parse()?;
    let array = ArrayView::new(&values, &[DIRECTIONS, 1, 3, 3])?;
    let weight = QuantizedTensor::quantize(context, &config, &array)?;
    let operator = Operator::builder()
        .input_scale(1.0 / 16.0)
        .padding(1, 1, 1, 1)
        .build()?;
    Ok(Convolution::new(context, &operator, &weight, None)?)
}

/// The strongest of all directions at a pixel, 0 to 3.
fn strength(y: &[f32], pixel: usize) -> f32 {
    (0..DIRECTIONS).fold(0.0, |most: f32, d| most.max(y[d * PIXELS + pixel].abs()))
}

fn show(picture: &[u8], y: &[f32]) {
    let shade = |level: usize| char::from(SHADES[level]);
    for row in 0..SIDE {
        let pixels = row * SIDE..(row + 1) * SIDE;
        let light: String = pixels
            .clone()
            .map(|p| shade(usize::from(picture[p]) * 9 / 16))
            .collect();
        let edges: String = pixels
            .map(|p| shade((strength(y, p) * 3.0) as usize))
            .collect();
        println!("{}   {}", light, edges);
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let input = match arguments.as_slice() {
        [input] => input,
        _ => return Err("usage: edges IMAGES.safetensors".into()),
    };
    let context = Context::new();
    let file = File::open(&context, input)?;
    let pictures = file.entry("images")?.data()?;
    let (count, size) = (pictures.len() / PIXELS, DIRECTIONS * PIXELS);
    let mut y = vec![0.0f32; count * size];
    let x = MatrixView::new(pictures, count, PIXELS)?;
    let mut output = MatrixViewMut::new(&mut y, count, size)?;
    make_filters(&context)?.forward(&context, &x, (SIDE, SIDE), &mut output, None)?;
    for (picture, y) in pictures.chunks(PIXELS).zip(y.chunks(size)).take(SHOWN) {
        show(picture, y);
    }
    let bytes = y.iter().flat_map(|value| value.to_le_bytes());
    let hash = bytes.fold(0xcbf29ce484222325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100000001b3)
    });
    println!("{} pictures: {:016x}", count, hash);
    Ok(())
}
