#!/bin/sh
# Measures Requant on this machine's GPU, in at most ten minutes; the same command continues with what is left.
#
#   perf/gpu.sh [--cpu] [FOLDER]      FOLDER: runs/gpu by default
#
#   --cpu            on the CPU in small sizes, to try the script: its figures mean nothing
#   TORCH_PYTHON     a Python with PyTorch; else dev:peer installs one, which takes longer than ten minutes
#   REQUANT_SECONDS  time of a call, 570 by default
#
# Before: deno task engine install --gpu; deno task data cifar10.
# Exit codes: 0 all is measured, 1 something is left or failed, 2 bad input.
set -u
cd "$(dirname "$0")/.." || exit 2

cpu=no folder=runs/gpu
for word in "$@"; do
  case "$word" in
    --cpu) cpu=yes ;;
    -*) echo "Cannot use option $word as it is not known: choose --cpu, or a folder" >&2; exit 2 ;;
    *) folder=$word ;;
  esac
done
mkdir -p "$folder" || exit 2
echo "$cpu" > "$folder/.mode.new"
if [ -e "$folder/.mode" ] && ! cmp -s "$folder/.mode" "$folder/.mode.new"; then
  echo "Cannot use $folder as its results were made with another choice of --cpu: choose another folder" >&2
  exit 2
fi
mv "$folder/.mode.new" "$folder/.mode"

end=$(($(date +%s) + ${REQUANT_SECONDS:-570}))
left=0

# step NAME COMMAND...: runs it unless it is done, for as long as there is time
step() {
  name=$1
  shift
  [ -e "$folder/$name.done" ] && return
  seconds=$((end - $(date +%s)))
  if [ "$seconds" -lt 10 ]; then
    echo "$name: left for the next call" >&2
    left=$((left + 1))
    return
  fi
  began=$(date +%s)
  timeout -k 20 "$seconds" "$@" > "$folder/$name.out" 2> "$folder/$name.log"
  code=$?
  # a page of peers is a result, and says itself which losses differ
  if [ $code -eq 0 ] || ls "$folder/$name"/peers_*.md > /dev/null 2>&1; then
    echo "$(($(date +%s) - began)) s" > "$folder/$name.done"
    echo "$name: done in $(cat "$folder/$name.done")" >&2
  else
    echo "$name: failed or out of time, see $folder/$name.log" >&2
    left=$((left + 1))
  fi
}

# bench OUT OPTIONS...
bench() {
  name=$1
  shift
  step "$name" deno task bench --paper mec --models "$model" --bits W4A4 --engine tensorflow \
    --out "$folder/$name" "$@"
}

hashes() {
  grep -ho '"networkSha256": *"[0-9a-f]*"' "$folder/$1"/runs/*/record.json | sort
}

if [ $cpu = yes ]; then
  model=resnet8 sizes="--protocol smoke" alone=fp seeds=0 jobs=2 peers="--imitate --batch 4"
else
  model=resnet20 sizes="--protocol reduced --epochs 1" alone=fp,lsq seeds=0,1,2,3,4,5,6,7,8,9,10,11 jobs=12 peers=
  nvidia-smi > "$folder/nvidia-smi.txt" 2>&1
fi

step doctor deno task engine doctor --engine tensorflow --json
# one process at a time: its speed alone, and the same bytes twice
for i in 1 2; do bench "repeat_$i" $sizes --methods $alone --seeds 0 --jobs 1; done
if [ -e "$folder/repeat_1.done" ] && [ -e "$folder/repeat_2.done" ]; then
  if [ "$(hashes repeat_1)" = "$(hashes repeat_2)" ]; then same="the same bytes"; else same="other bytes"; fi
  echo "Two runs repeated gave $same" | tee "$folder/repeat.txt" >&2
fi
bench bench $sizes --methods fp,lsq --seeds $seeds --jobs $jobs
[ -e "$folder/bench.done" ] && runs="--runs $folder/bench" || runs=
for model in resnet20 resnet18 resnet18_imagenet; do
  for arm in lsq_w4a4 fpq_w4a4; do
    step "peers_${model}_$arm" deno task dev:peer --gpu $peers --rounds 1 --models $model --arms $arm $runs \
      ${TORCH_PYTHON:+--torch "$TORCH_PYTHON"} --out "$folder/peers_${model}_$arm"
  done
done

tar -czf "$folder.tgz" --exclude='*.safetensors*' "$folder" 2> /dev/null
[ $left -eq 0 ] && echo "All is measured; send $folder.tgz" >&2 && exit 0
echo "$left steps are left: the same command continues; $folder.tgz has what there is" >&2
exit 1
