"""tests/data/models/<name>/: small random models with the outputs that `transformers` computes for them in fp32."""

import json
import math

import torch

from vectors_common import generator_of, save_tensors, write_json

TOKENS = 23
GREEDY_TOKENS = 12

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 131,
    "hidden_size": 32,
    "intermediate_size": 36,
    "num_hidden_layers": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def config_of(changes, without=()):
    config = {**LLAMA, **changes}
    return {key: value for key, value in config.items() if key not in without}


def llama3_scaling(**extra):
    return {
        "rope_type": "llama3",
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
        **extra,
    }


def yarn_scaling(**extra):
    return {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, **extra}


def family(name, **changes):
    return {"architectures": [f"{name}ForCausalLM"], "model_type": name.lower(), **changes}


# What a model shows: its config.json, the dtype of its file and the number of its shards.
MODELS = {
    "llama-2": dict(
        config=config_of({"num_hidden_layers": 7, "rope_theta": 10000.0}, without=["num_key_value_heads"]),
    ),
    "llama-3.1": dict(
        config=config_of({"num_key_value_heads": 1, "rope_theta": 500.0, "rope_scaling": llama3_scaling()}),
    ),
    "llama-tied-head-dim": dict(
        config=config_of({
            "num_hidden_layers": 7,
            "num_key_value_heads": 1,
            "head_dim": 12,
            "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 2000.0},
        }),
    ),
    "llama-linear": dict(
        config=config_of({"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0}}),
        dtype=torch.float16,
    ),
    "llama-yarn": dict(
        config=config_of({"num_hidden_layers": 7, "rope_parameters": yarn_scaling(rope_theta=10000.0)}),
    ),
    "llama-yarn-explicit": dict(
        config=config_of({
            "num_hidden_layers": 2,
            "rope_theta": 1000.0,
            "rope_scaling": yarn_scaling(attention_factor=1.25, beta_fast=4.0, beta_slow=0.5),
        }),
        tap_ids=[0, 1],
    ),
    "mistral": dict(
        config=config_of(family("Mistral", head_dim=8, sliding_window=None, rope_theta=1000000.0)),
        shards=2,
    ),
    "qwen2": dict(
        config=config_of(family(
            "Qwen2",
            rms_norm_eps=1e-6,
            tie_word_embeddings=True,
            rope_theta=1000000.0,
            sliding_window=64,
            max_window_layers=8,
            use_sliding_window=False,
        )),
        dtype=torch.bfloat16,
    ),
    "qwen3": dict(
        config=config_of(family(
            "Qwen3",
            num_hidden_layers=7,
            head_dim=12,
            rms_norm_eps=1e-6,
            attention_bias=False,
            use_sliding_window=False,
            sliding_window=None,
            rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        )),
    ),
    "llama-bias": dict(
        config=config_of({"num_hidden_layers": 7, "attention_bias": True, "mlp_bias": True, "rope_theta": 10000.0}),
    ),
}


def default_tap_ids(layers):
    return [1, layers // 2 - 1, layers - 4]


def random_value(name, shape, tied, generator):
    normal = torch.randn(shape, generator=generator)
    if name.endswith("norm.weight"):
        return 1 + 0.2 * normal
    if name.endswith("bias"):
        return 0.3 * normal
    if "embed_tokens" in name:
        return normal * (2 / math.sqrt(shape[-1]) if tied else 1)
    return normal / math.sqrt(shape[-1])


def write_weights(path, tensors, shards):
    if shards == 1:
        save_tensors(path / "model.safetensors", tensors, {"format": "pt"})
        return
    names = sorted(tensors)
    where = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        mine = names[shard::shards]
        save_tensors(path / file, {name: tensors[name] for name in mine}, {"format": "pt"})
        where.update({name: file for name in mine})
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(where.items()))}
    write_json(path / "model.safetensors.index.json", index)


def write_model(path, name, spec):
    """config.json exactly as spelled above, and random weights under the names that transformers gives them."""
    from transformers import AutoConfig, AutoModelForCausalLM

    dtype = spec.get("dtype", torch.float32)
    write_json(path / "config.json", {**spec["config"], "torch_dtype": str(dtype).removeprefix("torch.")})
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path))
    tied = spec["config"]["tie_word_embeddings"]
    generator = generator_of(f"model/{name}")
    tensors = {}
    for key, value in sorted(model.state_dict().items()):
        if not (tied and key == "lm_head.weight"):
            tensors[key] = random_value(key, value.shape, tied, generator).to(dtype)
    write_weights(path, tensors, spec.get("shards", 1))


def load(path):
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    problems = {key: value for key, value in info.items() if set(value) - {"lm_head.weight"}}
    if problems:
        raise RuntimeError(f"{path}: {problems}")
    return model.eval()


def run(model, input_ids, tap_ids):
    """Logits, taps (the residual stream leaving layers tap_ids) and the state after the final norm."""
    seen = {}

    def keep(key):
        def hook(module, inputs, output):
            seen[key] = (output[0] if isinstance(output, tuple) else output).detach()

        return hook

    hooks = [model.model.layers[i].register_forward_hook(keep(i)) for i in tap_ids]
    hooks.append(model.model.norm.register_forward_hook(keep("norm")))
    with torch.no_grad():
        logits = model(input_ids[None], use_cache=False).logits
    for hook in hooks:
        hook.remove()
    rows = lambda x: x.reshape(len(input_ids), -1).float()
    return rows(logits), torch.cat([rows(seen[i]) for i in tap_ids], dim=-1), rows(seen["norm"])


def greedy(model, input_ids):
    """Ids the model continues with, greedily, as long as no two logits are so close that rounding decides."""
    ids = input_ids
    with torch.no_grad():
        for _ in range(GREEDY_TOKENS):
            best = model(ids[None], use_cache=False).logits[0, -1].topk(2)
            if best.values[0] - best.values[1] < 1e-3:
                break
            ids = torch.cat([ids, best.indices[:1]])
    return ids[len(input_ids) :]


def make(out):
    for name, spec in MODELS.items():
        path = out / "models" / name
        write_model(path, name, spec)
        model = load(path)
        vocabulary = spec["config"]["vocab_size"]
        input_ids = torch.randint(vocabulary, (TOKENS,), generator=generator_of(f"model/{name}/ids"))
        tap_ids = spec.get("tap_ids") or default_tap_ids(spec["config"]["num_hidden_layers"])
        logits, taps, last_hidden = run(model, input_ids, tap_ids)
        expected = {
            "input_ids": input_ids,
            "logits": logits,
            "taps": taps,
            "last_hidden": last_hidden,
            "greedy_ids": greedy(model, input_ids),
        }
        save_tensors(path / "expected.safetensors", expected, {"tap_ids": json.dumps(tap_ids)})
        print(name, "logits std", float(logits.std()), "taps std", float(taps.std()),
              "greedy", expected["greedy_ids"].tolist(), "rope", describe_rope(model))


def describe_rope(model):
    rotary = model.model.rotary_emb
    return f"{rotary.rope_type} x{rotary.attention_scaling:.4f} {[round(x, 5) for x in rotary.inv_freq.tolist()]}"
