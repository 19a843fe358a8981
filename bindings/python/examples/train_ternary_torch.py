"""The digits network trained ternary in PyTorch: the schedule of tests/models/train_ternary.py,
with the modules of bitnet_quant.torch.training.

    python3 train_ternary_torch.py [MODELS]

MODELS: the folder with digits.safetensors and its data; tests/models by default.
"""
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import bitnet_quant as bq
from bitnet_quant.torch.training import QATScheduler, convert, prepare_qat

MODELS = Path(sys.argv[1] if len(sys.argv) > 1 else
              Path(__file__).resolve().parents[3] / "tests" / "models")
PHASES = [
    dict(bits=8, steps=200),
    dict(bits=4, steps=400),
    dict(bits=2, steps=800),
    dict(bits=1.58, steps=1500, temperature_begin=0.5, share_begin=0.5),
    dict(bits=1.58, steps=3000),
]


def images(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    file = bq.open_file(MODELS / name)
    return (torch.from_numpy(file["images"].astype("float32")) / 16,
            torch.from_numpy(file["labels"].astype("int64")))


def accuracy(model: nn.Module) -> float:
    x, labels = images("digits_test.safetensors")
    return 100 * float((model(x).argmax(1) == labels).float().mean())


def shifted(x: torch.Tensor) -> torch.Tensor:
    """Each image moved by up to a pixel to any side."""
    padded = functional.pad(x.reshape(-1, 8, 8), (1, 1, 1, 1))
    down, right = torch.randint(0, 3, (2, len(x), 1))
    rows = (down + torch.arange(8))[:, :, None].expand(-1, -1, 10)
    columns = (right + torch.arange(8))[:, None, :].expand(-1, 8, -1)
    return padded.gather(1, rows).gather(2, columns).reshape(-1, 64)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
                          nn.Linear(64, 10))
    stored = bq.open_file(MODELS / "digits.safetensors")
    with torch.no_grad():
        for index, layer in enumerate(model[::2]):
            layer.weight.copy_(torch.from_numpy(stored[f"layers.{index}.weight"].copy()))
            layer.bias.copy_(torch.from_numpy(stored[f"layers.{index}.bias"].copy()))
    print(f"float    {accuracy(model):.2f} %")

    steps = sum(phase["steps"] for phase in PHASES)
    prepare_qat(model, "ternary_per_group_128",
                training=bq.Training(estimator="straight_through"))
    scheduler = QATScheduler(model, bq.Schedule(PHASES))
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    x, labels = images("digits_train.safetensors")
    for _ in range(steps):
        picked = torch.randint(0, len(x), (64,))
        batch = shifted(x[picked]) + 0.05 * torch.randn(64, 64)
        loss = functional.cross_entropy(model(batch), labels[picked])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        scheduler.step(loss.item())
    convert(model)
    print(f"ternary  {accuracy(model):.2f} %, on packed codes")


if __name__ == "__main__":
    main()
