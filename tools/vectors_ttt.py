"""tests/data/ttt/<case>/: step dumps with the loss and gradients of an independent fp64 implementation."""

import math

import torch

from vectors_common import generator_of, save_tensors, write_json
from vectors_ttt_oracle import Batch, DraftOptions, Step, ttt_step, walk

DECAY = 0.8
# Sequences of a packed batch: length, then the spans of loss_mask = 1 counted from the sequence's start.
MIXED = [(13, [(3, 6), (9, 12)]), (1, [(0, 0)]), (9, [(0, 4), (6, 7)]), (2, [(1, 1)]), (14, [(2, 13)])]
RAGGED = [(2, [(0, 1)]), (11, [(4, 10)]), (5, []), (10, [(1, 3), (5, 5), (7, 9)]), (1, [])]
SHORT = [(1, [(0, 0)]), (2, [(0, 1)]), (4, [(1, 3)]), (6, [(2, 5)]), (5, [(1, 2), (4, 4)])]
LLAMA3_ROPE = {
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

GROUP_OF_3 = dict(hidden=24, target_hidden=24, heads=3, kv_heads=1, intermediate=28)
NO_GROUPS = dict(hidden=16, target_hidden=16, heads=2, kv_heads=2, intermediate=20)
NARROW_HEADS = dict(hidden=24, target_hidden=24, heads=4, kv_heads=2, head_dim=4, intermediate=28)

CASES = {
    "plain": dict(depths=7, layout=MIXED, rope="absent"),
    "narrow-target": dict(depths=4, layout=MIXED, target_hidden=24),
    "one-depth": dict(depths=1, layout=RAGGED, **GROUP_OF_3),
    "full-vocabulary": dict(depths=4, layout=RAGGED, draft_vocabulary=97, rope="parameters", **GROUP_OF_3),
    "norm-output": dict(depths=4, layout=RAGGED, norm_output=True, **NARROW_HEADS),
    "fc-norm": dict(depths=4, layout=RAGGED, fc_norm=True, rope="parameters", **GROUP_OF_3),
    "norm-before-fc": dict(depths=4, layout=RAGGED, norm_before_fc=True, **NO_GROUPS),
    "norm-before-residual": dict(depths=4, layout=MIXED, norm_before_residual=True, **NO_GROUPS),
    "bf16": dict(depths=4, layout=RAGGED, dtype=torch.bfloat16, rope_theta=500.0, llama3_rope=LLAMA3_ROPE),
    "short-spans": dict(depths=7, layout=SHORT, **GROUP_OF_3),
    "larger-step": dict(depths=4, layout=RAGGED, other_rows=[9, 6, 4, 1], **NO_GROUPS),
}


def options_of(case):
    names = DraftOptions.__dataclass_fields__
    return DraftOptions(**{name: value for name, value in case.items() if name in names})


def random_weights(options, generator):
    def linear(rows, columns):
        return torch.randn(rows, columns, generator=generator, dtype=torch.float64) / math.sqrt(columns)

    def norm(width):
        return 1 + 0.2 * torch.randn(width, generator=generator, dtype=torch.float64)

    o = options
    query, cache = o.heads * o.head_dim, o.kv_heads * o.head_dim
    weights = {
        "fc.weight": linear(o.hidden, o.taps * o.target_hidden),
        "midlayer.input_layernorm.weight": norm(o.hidden),
        "midlayer.hidden_norm.weight": norm(o.hidden),
        "midlayer.self_attn.q_proj.weight": linear(query, 2 * o.hidden),
        "midlayer.self_attn.k_proj.weight": linear(cache, 2 * o.hidden),
        "midlayer.self_attn.v_proj.weight": linear(cache, 2 * o.hidden),
        "midlayer.self_attn.o_proj.weight": linear(o.hidden, query),
        "midlayer.post_attention_layernorm.weight": norm(o.hidden),
        "midlayer.mlp.gate_proj.weight": linear(o.intermediate, o.hidden),
        "midlayer.mlp.up_proj.weight": linear(o.intermediate, o.hidden),
        "midlayer.mlp.down_proj.weight": linear(o.hidden, o.intermediate),
        "norm.weight": norm(o.hidden),
        "lm_head.weight": linear(o.draft_vocabulary, o.hidden),
    }
    for i in range(o.taps if o.fc_norm else 0):
        weights[f"fc_norm.{i}.weight"] = norm(o.target_hidden)
    if o.norm_before_fc:
        weights["input_norm.weight"] = norm(o.taps * o.target_hidden)
    return weights


def random_batch(options, layout, generator):
    """A teacher that mostly predicts the text's next token, and text that is mostly in the draft vocabulary."""
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    lengths = [length for length, _ in layout]
    total, o = sum(lengths), options
    draft_ids = torch.randperm(o.vocabulary, generator=generator)[: o.draft_vocabulary].sort().values
    common = draft_ids[torch.randint(len(draft_ids), (total,), generator=generator)]
    anything = torch.randint(o.vocabulary, (total,), generator=generator)
    input_ids = torch.where(torch.rand(total, generator=generator) < 0.85, common, anything)
    mask = torch.zeros(total, dtype=torch.uint8)
    first = 0
    for length, spans in layout:
        for a, b in spans:
            mask[first + a : first + b + 1] = 1
        first += length
    lm_head = 2 * normal(o.vocabulary, o.target_hidden) / math.sqrt(o.target_hidden)
    following = torch.where(torch.rand(total, generator=generator) < 0.8, input_ids.roll(-1), anything.roll(3))
    last_hidden = 0.6 * normal(total, o.target_hidden) + lm_head[following]
    return Batch(
        input_ids=input_ids,
        cu_seqlens=torch.tensor([sum(lengths[:i]) for i in range(len(lengths) + 1)], dtype=torch.int32),
        taps=normal(total, o.taps * o.target_hidden),
        last_hidden=last_hidden,
        loss_mask=mask,
        embedding=normal(o.vocabulary, o.hidden),
        lm_head=lm_head,
        draft_ids=draft_ids,
    )


def rounded(batch, weights, dtype):
    """Every stored value as a reader will see it: rounded to the file's dtype, then fp64."""
    stored = lambda x: x.detach().to(dtype).double()
    for name in ("taps", "last_hidden", "embedding", "lm_head"):
        setattr(batch, name, stored(getattr(batch, name)))
    return {name: stored(value) for name, value in weights.items()}


def half_trained(weights, batch, options, depths):
    """A few Adam steps, so that some rows are right at some depths and the walk has something to walk."""
    weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
    optimizer = torch.optim.Adam(weights.values(), lr=4e-3)
    for _ in range(40):
        optimizer.zero_grad()
        ttt_step(weights, batch, options, depths, DECAY, "step").loss.backward()
        optimizer.step()
    return weights


def expected_of(weights, batch, case, options, normalize):
    weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
    rows = case["step_rows"] if normalize == "step" else None
    step = ttt_step(weights, batch, options, case["depths"], DECAY, normalize, rows)
    step.loss.backward()
    gradients = {name: value.grad for name, value in weights.items()}
    norm = math.sqrt(sum(float(gradient.pow(2).sum()) for gradient in gradients.values()))
    walks = [walk(batch, step.right, drafts) for drafts in range(1, case["depths"] + 1)]
    number = lambda *values: torch.tensor(values, dtype=torch.float32)
    count = lambda *values: torch.tensor(values, dtype=torch.int64)
    tensors = {
        "loss": number(step.loss.item()),
        "grad_norm": number(norm),
        "step_loss": number(*step.step_loss),
        "step_accuracy": number(*step.step_accuracy),
        "oov_share": number(*step.oov_share),
        "accept_probability": number(*step.accept_probability),
        "supervised_rows": count(*step.supervised),
        "in_vocabulary_rows": count(*step.in_vocabulary),
        "right": step.right.to(torch.uint8),
        "walked_tokens": count(*(tokens for tokens, _ in walks)),
        "walked_cycles": count(*(cycles for _, cycles in walks)),
        "walked_accept_length": number(*(tokens / max(cycles, 1) for tokens, cycles in walks)),
    }
    tensors.update({f"grad.{name}": gradient.float() for name, gradient in gradients.items()})
    return step, norm, tensors


def draft_config(case, options):
    o = options
    config = {
        "architectures": ["LlamaForCausalLMEagle3"],
        "model_type": "llama",
        "hidden_size": o.hidden,
        "intermediate_size": o.intermediate,
        "num_hidden_layers": 1,
        "num_attention_heads": o.heads,
        "num_key_value_heads": o.kv_heads,
        "head_dim": o.head_dim,
        "hidden_act": "silu",
        "vocab_size": o.vocabulary,
        "draft_vocab_size": o.draft_vocabulary,
        "target_hidden_size": o.target_hidden,
        "max_position_embeddings": 256,
        "rms_norm_eps": o.eps,
        "attention_bias": False,
        "tie_word_embeddings": False,
        "norm_before_residual": o.norm_before_residual,
    }
    config.update({key: True for key in ("fc_norm", "norm_before_fc", "norm_output") if getattr(o, key)})
    spelling = case.get("rope", "theta")
    if spelling == "theta":
        config["rope_theta"] = o.rope_theta
        if o.llama3_rope:
            config["rope_scaling"] = {"rope_type": "llama3", **o.llama3_rope}
    elif spelling == "parameters":
        config["rope_parameters"] = {"rope_type": "default", "rope_theta": o.rope_theta}
    return config


def write_case(path, case, options, batch, weights):
    dtype = case.get("dtype", torch.float32)
    own_embedding = options.hidden != options.target_hidden
    batch_tensors = {
        "input_ids": batch.input_ids,
        "cu_seqlens": batch.cu_seqlens,
        "aux_hidden_states": batch.taps.to(dtype),
        "last_hidden_states": batch.last_hidden.to(dtype),
        "loss_mask": batch.loss_mask,
        "n_k": torch.tensor(case["step_rows"]),
        "target.lm_head.weight": batch.lm_head.to(dtype),
    }
    draft_tensors = {key: value.to(dtype) for key, value in weights.items()}
    if own_embedding:
        draft_tensors["embed_tokens.weight"] = batch.embedding.to(dtype)
    else:
        batch_tensors["target.embed_tokens.weight"] = batch.embedding.to(dtype)
    if options.draft_vocabulary < options.vocabulary:
        draft_tensors["d2t"] = batch.draft_ids - torch.arange(options.draft_vocabulary)
        draft_tensors["t2d"] = torch.zeros(options.vocabulary, dtype=torch.bool)
        draft_tensors["t2d"][batch.draft_ids] = True
    save_tensors(path / "batch.safetensors", batch_tensors, {"format_version": "1", "tap_ids": "[1, 3, 4]"})
    save_tensors(path / "draft" / "model.safetensors", draft_tensors, {"format": "pt"})
    config = draft_config(case, options)
    config["torch_dtype"] = str(dtype).removeprefix("torch.")
    write_json(path / "draft" / "config.json", config)


def built(name, case):
    """Batch, weights and first result, retried until no argmax of a supervised row hangs on rounding."""
    options = options_of(case)
    for attempt in range(20):
        generator = generator_of(f"ttt/{name}/{attempt}")
        batch = random_batch(options, case["layout"], generator)
        weights = half_trained(random_weights(options, generator), batch, options, case["depths"])
        weights = rounded(batch, weights, case.get("dtype", torch.float32))
        step = ttt_step(weights, batch, options, case["depths"], DECAY, "step")
        if step.smallest_gap > 1e-3:
            return options, batch, weights, step
    raise RuntimeError(f"ttt/{name}: every attempt had two logits closer than 1e-3")


def make(out):
    for name, case in CASES.items():
        options, batch, weights, first = built(name, case)
        others = case.get("other_rows", [0] * case["depths"])
        case = {**case, "step_rows": [own + other for own, other in zip(first.supervised, others)]}
        path = out / "ttt" / name
        write_case(path, case, options, batch, weights)
        for normalize in ("step", "micro-batch"):
            step, norm, tensors = expected_of(weights, batch, case, options, normalize)
            save_tensors(path / f"expected.{normalize}.safetensors", tensors)
            if normalize == "step":
                write_json(path / "step.json", step_record(case, step, norm))
                print(name, "loss", step.loss.item(), "accuracy", step.step_accuracy, "rows", step.supervised)


def step_record(case, step: Step, norm):
    return {
        "ttt_steps": case["depths"],
        "loss_decay": DECAY,
        "normalize": "step",
        "attention": "oracle",
        "loss": step.loss.item(),
        "grad_norm": norm,
    }
