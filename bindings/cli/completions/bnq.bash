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
    quantize|dequantize|inspect|verify|diff|info)
      command=${COMP_WORDS[i]}
      break
      ;;
    esac
  done
  case $command:$prev in
    quantize:-o|quantize:--output) _bnq_files; return ;;
    quantize:--threads) return ;;
    quantize:--include) return ;;
    quantize:--exclude) return ;;
    quantize:--option) return ;;
    quantize:--format) _bnq_words "ternary int8"; return ;;
    quantize:--granularity) _bnq_words "tensor channel group"; return ;;
    quantize:--group-size) return ;;
    quantize:--axis) return ;;
    quantize:--scheme) _bnq_words "symmetric asymmetric"; return ;;
    quantize:--clip) return ;;
    quantize:--non-finite) _bnq_words "error zero"; return ;;
    dequantize:-o|dequantize:--output) _bnq_files; return ;;
    dequantize:--threads) return ;;
    dequantize:--dtype) _bnq_words "f32 f16 bf16"; return ;;
    verify:--threads) return ;;
    diff:--threads) return ;;
  esac
  case $command:$cur in
    :*) _bnq_words "quantize dequantize inspect verify diff info -h --help --version" ;;
    quantize:-*) _bnq_words "-h --help -o --output --dry-run --force --json --threads -q --quiet --include --exclude --compress --option --format --granularity --group-size --axis --scheme --clip --non-finite" ;;
    quantize:*) _bnq_files ;;
    dequantize:-*) _bnq_words "-h --help -o --output --dry-run --force --json --threads -q --quiet --dtype" ;;
    dequantize:*) _bnq_files ;;
    inspect:-*) _bnq_words "-h --help --json" ;;
    inspect:*) _bnq_files ;;
    verify:-*) _bnq_words "-h --help --threads -q --quiet" ;;
    verify:*) _bnq_files ;;
    diff:-*) _bnq_words "-h --help --json --threads -q --quiet" ;;
    diff:*) _bnq_files ;;
    info:-*) _bnq_words "-h --help --json" ;;
  esac
}

complete -F _bnq bnq
