# Completions of bnq. Written by generate.py: do not edit.
# shellcheck shell=bash

_bnq_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_bnq_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_bnq() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
  local command="" i
  COMPREPLY=()
  # --format=int8 arrives as three words.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" && COMP_CWORD -ge 2 ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
    quantize|analyze|estimate|calibrate|dequantize|export|import|inspect|verify|diff|presets|info|cache)
      command=${COMP_WORDS[i]}
      break
      ;;
    esac
  done
  case $command:$prev in
    quantize:--jobs) return ;;
    quantize:-o|quantize:--output) _bnq_files; return ;;
    quantize:--max-shard-size) return ;;
    quantize:--threads) return ;;
    quantize:--progress) _bnq_words "auto never json"; return ;;
    quantize:--report) _bnq_files; return ;;
    quantize:--include) return ;;
    quantize:--exclude) return ;;
    quantize:--tensor) return ;;
    quantize:--plan) _bnq_files; return ;;
    quantize:--target-bits) return ;;
    quantize:--target-size) return ;;
    quantize:--target-ratio) return ;;
    quantize:--candidates) return ;;
    quantize:--sensitivity) _bnq_files; return ;;
    quantize:--importance) _bnq_files; return ;;
    quantize:--calibration) _bnq_files; return ;;
    quantize:--method) _bnq_words "minmax moving_average percentile kl mse adaptive"; return ;;
    quantize:--activations) return ;;
    quantize:--preset) _bnq_words "default aggressive ternary ternary_per_group_128 ternary_base3 int8_symmetric int8_asymmetric int8_per_channel int8_per_group_128 int8_dynamic int8_dynamic_asymmetric int8_outliers int4_per_group_32 int4_per_group_128 int4_per_group_128_asymmetric int4_mse_per_group_128 nf4 nf4_double_quant fp4 fp4_double_quant binary_per_group_128 int2_per_group_64 int3_per_group_64 int4_offset_per_group_32 int4_offset_per_group_64 int5_per_group_32 int6_per_group_32 int8_per_group_32 int8_mse_per_group_32 int6_mse_per_group_16 int5_mse_per_group_36 codebook4_per_group_20 codebook4_per_group_38 codebook3_per_group_20 codebook2_per_group_16 mxfp4 mxfp8 mxfp8_e5m2 nvfp4 fp8 fp8_per_channel fp8_dynamic fp8_per_group_128 fp8_per_tile_128 f16 bf16"; return ;;
    quantize:--config) return ;;
    quantize:--recipes) _bnq_files; return ;;
    quantize:--option) return ;;
    quantize:--format) _bnq_words "ternary binary int8 int6 int5 int4 int3 int2 nf4 fp4 codebook4 codebook3 codebook2 e4m3 e5m2 e2m1 f16 bf16 none"; return ;;
    quantize:--granularity) _bnq_words "tensor channel group token block tile"; return ;;
    quantize:--group-size) return ;;
    quantize:--axis) return ;;
    quantize:--scheme) _bnq_words "symmetric asymmetric offset"; return ;;
    quantize:--clip) return ;;
    quantize:--non-finite) _bnq_words "error zero keep"; return ;;
    quantize:--rounding) _bnq_words "half_even half_away half_up floor ceil toward_zero stochastic half_toward_zero"; return ;;
    quantize:--seed) return ;;
    quantize:--scale-rule) _bnq_words "default absmax absmean percentile mse"; return ;;
    quantize:--percentile) return ;;
    quantize:--symmetric-range) _bnq_words "narrow full extreme"; return ;;
    quantize:--scale-dtype) _bnq_words "f32 f16 bf16 e8m0 e4m3"; return ;;
    quantize:--double-quant) _bnq_words "off on"; return ;;
    quantize:--packing) _bnq_words "default base3"; return ;;
    quantize:--outlier-threshold) return ;;
    quantize:--saturate) _bnq_words "off on"; return ;;
    analyze:-o|analyze:--output) _bnq_files; return ;;
    analyze:--merge) _bnq_files; return ;;
    analyze:--metrics) _bnq_files; return ;;
    analyze:--importance) _bnq_files; return ;;
    analyze:--target-bits) return ;;
    analyze:--target-size) return ;;
    analyze:--target-ratio) return ;;
    analyze:--candidates) return ;;
    analyze:--sweep) return ;;
    analyze:--save-plan) _bnq_files; return ;;
    analyze:--report) _bnq_files; return ;;
    analyze:--exclude) return ;;
    analyze:--tensor) return ;;
    analyze:--plan) _bnq_files; return ;;
    analyze:--recipes) _bnq_files; return ;;
    analyze:--threads) return ;;
    analyze:--progress) _bnq_words "auto never json"; return ;;
    estimate:--include) return ;;
    estimate:--exclude) return ;;
    estimate:--tensor) return ;;
    estimate:--plan) _bnq_files; return ;;
    estimate:--max-shard-size) return ;;
    estimate:--threads) return ;;
    estimate:--progress) _bnq_words "auto never json"; return ;;
    estimate:--preset) _bnq_words "default aggressive ternary ternary_per_group_128 ternary_base3 int8_symmetric int8_asymmetric int8_per_channel int8_per_group_128 int8_dynamic int8_dynamic_asymmetric int8_outliers int4_per_group_32 int4_per_group_128 int4_per_group_128_asymmetric int4_mse_per_group_128 nf4 nf4_double_quant fp4 fp4_double_quant binary_per_group_128 int2_per_group_64 int3_per_group_64 int4_offset_per_group_32 int4_offset_per_group_64 int5_per_group_32 int6_per_group_32 int8_per_group_32 int8_mse_per_group_32 int6_mse_per_group_16 int5_mse_per_group_36 codebook4_per_group_20 codebook4_per_group_38 codebook3_per_group_20 codebook2_per_group_16 mxfp4 mxfp8 mxfp8_e5m2 nvfp4 fp8 fp8_per_channel fp8_dynamic fp8_per_group_128 fp8_per_tile_128 f16 bf16"; return ;;
    estimate:--config) return ;;
    estimate:--recipes) _bnq_files; return ;;
    estimate:--option) return ;;
    estimate:--format) _bnq_words "ternary binary int8 int6 int5 int4 int3 int2 nf4 fp4 codebook4 codebook3 codebook2 e4m3 e5m2 e2m1 f16 bf16 none"; return ;;
    estimate:--granularity) _bnq_words "tensor channel group token block tile"; return ;;
    estimate:--group-size) return ;;
    estimate:--axis) return ;;
    estimate:--scheme) _bnq_words "symmetric asymmetric offset"; return ;;
    estimate:--clip) return ;;
    estimate:--non-finite) _bnq_words "error zero keep"; return ;;
    estimate:--rounding) _bnq_words "half_even half_away half_up floor ceil toward_zero stochastic half_toward_zero"; return ;;
    estimate:--seed) return ;;
    estimate:--scale-rule) _bnq_words "default absmax absmean percentile mse"; return ;;
    estimate:--percentile) return ;;
    estimate:--symmetric-range) _bnq_words "narrow full extreme"; return ;;
    estimate:--scale-dtype) _bnq_words "f32 f16 bf16 e8m0 e4m3"; return ;;
    estimate:--double-quant) _bnq_words "off on"; return ;;
    estimate:--packing) _bnq_words "default base3"; return ;;
    estimate:--outlier-threshold) return ;;
    estimate:--saturate) _bnq_words "off on"; return ;;
    calibrate:-o|calibrate:--output) _bnq_files; return ;;
    calibrate:--name) return ;;
    calibrate:--svg) _bnq_files; return ;;
    calibrate:--report) _bnq_files; return ;;
    calibrate:--threads) return ;;
    calibrate:--progress) _bnq_words "auto never json"; return ;;
    calibrate:--method) _bnq_words "minmax moving_average percentile kl mse adaptive"; return ;;
    calibrate:--granularity) _bnq_words "tensor channel"; return ;;
    calibrate:--axis) return ;;
    calibrate:--scheme) _bnq_words "symmetric asymmetric"; return ;;
    calibrate:--bins) return ;;
    calibrate:--bits) return ;;
    calibrate:--levels) return ;;
    calibrate:--averaging) return ;;
    calibrate:--max-growth) return ;;
    calibrate:--max-shrink) return ;;
    calibrate:--percentile) return ;;
    calibrate:--kl-variant) _bnq_words "tensorrt onnxruntime"; return ;;
    calibrate:--mse-variant) _bnq_words "exhaustive pytorch"; return ;;
    calibrate:--non-finite) _bnq_words "error skip"; return ;;
    calibrate:--outliers) _bnq_words "none percentile deviations"; return ;;
    calibrate:--outlier-percentile) return ;;
    calibrate:--outlier-deviations) return ;;
    calibrate:--moments) _bnq_words "off on"; return ;;
    calibrate:--histogram) _bnq_words "off on"; return ;;
    dequantize:-o|dequantize:--output) _bnq_files; return ;;
    dequantize:--max-shard-size) return ;;
    dequantize:--threads) return ;;
    dequantize:--progress) _bnq_words "auto never json"; return ;;
    dequantize:--dtype) _bnq_words "f32 f16 bf16"; return ;;
    dequantize:--overflow) _bnq_words "error saturate keep"; return ;;
    export:-o|export:--output) _bnq_files; return ;;
    export:--max-shard-size) return ;;
    export:--threads) return ;;
    export:--progress) _bnq_words "auto never json"; return ;;
    export:--to) _bnq_words "gguf compressed-tensors mlx awq gptq bitsandbytes bitnet ort"; return ;;
    export:--metadata-from) _bnq_files; return ;;
    export:--scale-dtype) _bnq_words "keep f32 f16 bf16 Type that scales are written as, where the layout has several (default keep)"; return ;;
    export:--weight-scale) _bnq_words "config multiply divide"; return ;;
    export:--i2-s) _bnq_words "unknown x86 arm"; return ;;
    export:--max-scale-change) return ;;
    import:-o|import:--output) _bnq_files; return ;;
    import:--max-shard-size) return ;;
    import:--threads) return ;;
    import:--progress) _bnq_words "auto never json"; return ;;
    import:--scale-dtype) _bnq_words "keep f32 f16 bf16 Type that scales are written as, where the layout has several (default keep)"; return ;;
    import:--weight-scale) _bnq_words "config multiply divide"; return ;;
    import:--i2-s) _bnq_words "unknown x86 arm"; return ;;
    import:--max-scale-change) return ;;
    inspect:--threads) return ;;
    inspect:--progress) _bnq_words "auto never json"; return ;;
    verify:--threads) return ;;
    verify:--progress) _bnq_words "auto never json"; return ;;
    diff:--histogram) return ;;
    diff:--bins) return ;;
    diff:--report) _bnq_files; return ;;
    diff:--threads) return ;;
    diff:--progress) _bnq_words "auto never json"; return ;;
    cache:--folder) _bnq_files; return ;;
    cache:--name) return ;;
    cache:--size) return ;;
    cache:--threads) return ;;
    cache:--progress) _bnq_words "auto never json"; return ;;
  esac
  case $command:$cur in
    :*) _bnq_words "quantize analyze estimate calibrate dequantize export import inspect verify diff presets info cache -h --help --version" ;;
    quantize:-*) _bnq_words "-h --help --jobs -o --output --dry-run --force --resume --restart --max-shard-size --json --threads --no-mmap --progress -q --quiet --report --include --exclude --tensor --plan --model-defaults --target-bits --target-size --target-ratio --candidates --fused-apart --experts-apart --sensitivity --compress --requantize --importance --calibration --method --activations --preset --config --recipes --option --format --granularity --group-size --axis --scheme --clip --non-finite --rounding --seed --scale-rule --percentile --symmetric-range --scale-dtype --double-quant --packing --outlier-threshold --saturate" ;;
    quantize:*) _bnq_files ;;
    analyze:-*) _bnq_words "-h --help -o --output --resume --merge --metrics --importance --target-bits --target-size --target-ratio --candidates --fused-apart --experts-apart --sweep --save-plan --report --exclude --tensor --plan --model-defaults --recipes --force --json --threads --no-mmap --progress -q --quiet" ;;
    analyze:*) _bnq_files ;;
    estimate:-*) _bnq_words "-h --help --include --exclude --tensor --plan --model-defaults --max-shard-size --json --threads --no-mmap --progress -q --quiet --preset --config --recipes --option --format --granularity --group-size --axis --scheme --clip --non-finite --rounding --seed --scale-rule --percentile --symmetric-range --scale-dtype --double-quant --packing --outlier-threshold --saturate" ;;
    estimate:*) _bnq_files ;;
    calibrate:-*) _bnq_words "-h --help -o --output --name --merge --svg --report --dry-run --force --json --threads --no-mmap --progress -q --quiet --method --granularity --axis --scheme --bins --bits --levels --averaging --max-growth --max-shrink --percentile --kl-variant --mse-variant --non-finite --outliers --outlier-percentile --outlier-deviations --moments --histogram" ;;
    calibrate:*) _bnq_files ;;
    dequantize:-*) _bnq_words "-h --help -o --output --dry-run --force --resume --restart --max-shard-size --json --threads --no-mmap --progress -q --quiet --dtype --overflow" ;;
    dequantize:*) _bnq_files ;;
    export:-*) _bnq_words "-h --help -o --output --dry-run --force --max-shard-size --json --threads --no-mmap --progress -q --quiet --to --requantize --metadata-from --scale-dtype --weight-scale --i2-s --max-scale-change" ;;
    export:*) _bnq_files ;;
    import:-*) _bnq_words "-h --help -o --output --dry-run --force --resume --restart --max-shard-size --json --threads --no-mmap --progress -q --quiet --compress --scale-dtype --weight-scale --i2-s --max-scale-change" ;;
    import:*) _bnq_files ;;
    inspect:-*) _bnq_words "-h --help --json --raw --threads --no-mmap --progress -q --quiet" ;;
    inspect:*) _bnq_files ;;
    verify:-*) _bnq_words "-h --help --threads --no-mmap --progress -q --quiet" ;;
    verify:*) _bnq_files ;;
    diff:-*) _bnq_words "-h --help --json --histogram --bins --report --force --threads --no-mmap --progress -q --quiet" ;;
    diff:*) _bnq_files ;;
    presets:-*) _bnq_words "-h --help --json" ;;
    info:-*) _bnq_words "-h --help --json" ;;
    cache:-*) _bnq_words "-h --help --folder --name --size --json --threads --no-mmap --progress -q --quiet" ;;
    cache:*) _bnq_words "list stat verify trim clear" ;;
  esac
}

complete -F _bnq bnq
