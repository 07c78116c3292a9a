"""Makes assets/fledgling: a 5.8 M parameter Llama model trained from nothing on data made from a seed.

    python3 tools/make_fledgling.py --output assets/fledgling

Needs one GPU for some minutes, PyTorch, transformers and tokenizers. Writes the Hugging Face directory, the training
conversations whose assistant turns are the model's own greedy answers, the held-out problems and the README.
"""

import argparse
import datetime
import hashlib
import json
import math
import multiprocessing
import pathlib
import random
import re
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from fledgling_chat import SYSTEM, draw_conversation
from fledgling_problems import TEMPLATE_LIST, TOPIC_LIST, held_out_problems
from fledgling_readme import readme_text

SPECIALS = ["<|pad|>", "<|bos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
PAD, BOS, END, SYSTEM_ROLE, USER_ROLE, ASSISTANT_ROLE = range(len(SPECIALS))
SPLIT = r"\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 2048,
    "hidden_size": 256,
    "intermediate_size": 640,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "mlp_bias": False,
    "initializer_range": 0.02,
    "bos_token_id": BOS,
    "eos_token_id": END,
    "pad_token_id": PAD,
    "torch_dtype": "bfloat16",
}
ROW_TOKENS = 512
TOKEN_WEIGHTS = [0.0, 0.1, 1.0]  # outside the loss, prompt, assistant turn
CHAT_SHARE = 0.25
SHARES = 64  # of the documents, each with its own seed, so the data does not depend on the number of workers


def render(messages, generate=False):
    """The chat template in plain words; Greedy checks it against apply_chat_template."""
    text = SPECIALS[BOS]
    for message in messages:
        text += f"<|{message['role']}|>\n{message['content']}<|end|>\n"
    return text + ("<|assistant|>\n" if generate else "")


def train_tokenizer(seed, documents):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=CONFIG["vocab_size"],
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    source = random.Random(f"tokenizer {seed}")
    texts = (m["content"] for _ in range(documents) for m in draw_conversation(source, CHAT_SHARE))
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != CONFIG["vocab_size"]:
        raise SystemExit(f"vocabulary of {tokenizer.get_vocab_size()} tokens, expected {CONFIG['vocab_size']}")
    return tokenizer


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_tokenizer(tokenizer, directory):
    tokenizer.save(str(directory / "tokenizer.json"))
    write_json(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **{name: SPECIALS[i] for name, i in (("bos_token", BOS), ("eos_token", END), ("pad_token", PAD))},
            "model_max_length": CONFIG["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        },
    )


def encode_share(task):
    """Ids and lengths of one worker's documents."""
    seed, share, count, tokenizer_path = task
    tokenizer = Tokenizer.from_file(tokenizer_path)
    source = random.Random(f"documents {seed} {share}")
    ids, lengths = [], []
    for _ in range(count):
        document = tokenizer.encode(render(draw_conversation(source, CHAT_SHARE))).ids
        ids.append(np.array(document, dtype=np.int16))
        lengths.append(len(document))
    return np.concatenate(ids), np.array(lengths)


def token_classes(ids):
    """Per token the index into TOKEN_WEIGHTS: 2 from the first token of an assistant turn to its <|end|>, else 1."""
    index = np.arange(len(ids))
    role_at = np.maximum.accumulate(np.where(ids >= SYSTEM_ROLE, np.where(ids <= ASSISTANT_ROLE, index, 0), 0))
    end_at = np.maximum.accumulate(np.where(ids == END, index, 0))
    end_before = np.concatenate([[0], end_at[:-1]])
    in_turn = (ids[role_at] == ASSISTANT_ROLE) & (index >= role_at + 2) & (end_before < role_at)
    return np.where(in_turn, 2, np.where(ids == BOS, 0, 1)).astype(np.uint8)


def pack(ids, lengths):
    """Whole documents laid into rows of ROW_TOKENS: ids, position in the document, class; padding has class 0."""
    if lengths.max() > ROW_TOKENS:
        raise SystemExit(f"a document has {lengths.max()} tokens, a row holds {ROW_TOKENS}")
    starts, used, row = [], 0, 0
    for length in lengths.tolist():
        if used + length > ROW_TOKENS:
            row, used = row + 1, 0
        starts.append(row * ROW_TOKENS + used)
        used += length
    positions = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    where = np.repeat(starts, lengths) + positions
    shape = (row + 1, ROW_TOKENS)
    packed = [np.zeros(shape, dtype) for dtype in (np.int16, np.int16, np.uint8)]
    for target, values in zip(packed, (ids, positions, token_classes(ids))):
        target.reshape(-1)[where] = values
    return packed


def make_rows(options, tokenizer_path):
    tasks = [(options.seed, share, options.documents // SHARES, tokenizer_path) for share in range(SHARES)]
    with multiprocessing.get_context("fork").Pool() as pool:
        shares = pool.map(encode_share, tasks)
    ids = np.concatenate([share[0] for share in shares])
    return pack(ids, np.concatenate([share[1] for share in shares]))


def row_loss(model, ids, positions, classes, weights):
    """Weighted cross-entropy of packed rows; a token sees its own document only."""
    document = (positions == 0).cumsum(1)
    same = document[:, :, None] == document[:, None, :]
    mask = (same & torch.ones(same.shape[1:], dtype=torch.bool, device=ids.device).tril())[:, None]
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
    weight = weights[classes]
    weight = torch.where(positions == 0, 0.0, weight).roll(-1, 1)
    weight[:, -1] = 0
    losses = F.cross_entropy(logits.float().flatten(0, 1), ids.roll(-1, 1).flatten(), reduction="none")
    return (losses * weight.flatten()).sum() / weight.sum()


def learning_rate(step, options):
    warm_up = max(1, options.steps // 40)
    if step < warm_up:
        return options.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / (options.steps - warm_up)
    return options.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def make_optimizer(model, options):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    norms = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98), fused=True)


def train(rows, options, save):
    torch.manual_seed(options.seed)
    model = LlamaForCausalLM(LlamaConfig.from_dict(CONFIG)).float().cuda()
    optimizer = make_optimizer(model, options)
    ids, positions, classes = (torch.from_numpy(part).cuda() for part in rows)
    weights = torch.tensor(TOKEN_WEIGHTS, device="cuda")
    step_loss = torch.compile(row_loss) if options.compile else row_loss
    order = torch.randperm(len(ids))
    began = time.time()
    for step in range(options.steps):
        first = step * options.rows % (len(ids) - options.rows)
        chosen = order[first : first + options.rows].cuda()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = step_loss(model, ids[chosen].long(), positions[chosen].long(), classes[chosen].long(), weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % max(1, options.steps // 25) == 0 or step + 1 == options.steps:
            print(f"step {step} loss {loss.item():.4f} {time.time() - began:.0f} s", flush=True)
        if step == options.steps // 2:
            save(model)
    save(model)
    return time.time() - began, loss.item()


def export(model, directory):
    state = {k: v.detach().to(torch.bfloat16).cpu().contiguous() for k, v in model.state_dict().items()}
    state.pop("lm_head.weight", None)  # tied
    save_file(state, str(directory / "model.safetensors"), metadata={"format": "pt"})
    write_json(directory / "config.json", CONFIG)
    token_ids = {"bos_token_id": BOS, "eos_token_id": END, "pad_token_id": PAD}
    write_json(directory / "generation_config.json", {**token_ids, "do_sample": False})


class Greedy:
    """The saved directory, read back in fp32, answering prompts greedily in batches."""

    def __init__(self, directory, device="cuda"):
        self.device = device
        self.tokenizer = AutoTokenizer.from_pretrained(str(directory))
        self.model = AutoModelForCausalLM.from_pretrained(str(directory), dtype=torch.float32).to(device).eval()
        self._check_template(Tokenizer.from_file(str(directory / "tokenizer.json")))

    def _check_template(self, plain_tokenizer):
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": " What is 12 + 30?\n"},
            {"role": "assistant", "content": "12 + 30 = 42."},
        ]
        for generate in (False, True):
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generate)
            if text != render(messages, generate):
                raise SystemExit(f"chat template renders {text!r}, expected {render(messages, generate)!r}")
            if self.encode(messages, generate) != plain_tokenizer.encode(text).ids:
                raise SystemExit(f"transformers and tokenizers encode {text!r} differently")

    def encode(self, messages, generate):
        return self.tokenizer(render(messages, generate), add_special_tokens=False)["input_ids"]

    @torch.inference_mode()
    def answer(self, prompts, batch=1024, limit=256):
        """Ids of the answers with their <|end|>, in the order of the prompts."""
        answers = [None] * len(prompts)
        by_length = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for first in range(0, len(prompts), batch):
            part = by_length[first : first + batch]
            width = len(prompts[part[-1]])
            padding = [width - len(prompts[i]) for i in part]
            ids = torch.tensor([[PAD] * pad + prompts[i] for pad, i in zip(padding, part)], device=self.device)
            mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding], device=self.device)
            out = self.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=limit, do_sample=False)
            for i, row in zip(part, out[:, width:].tolist()):
                answers[i] = row[: row.index(END) + 1] if END in row else row
        return answers

    def text(self, ids):
        return self.tokenizer.decode([i for i in ids if i != END])


def final_number(text):
    found = re.search(r"#### (\d+)\s*$", text)
    return int(found[1]) if found else None


def held_out_accuracy(greedy, problems):
    prompts = [greedy.encode([{"role": "user", "content": p.question}], generate=True) for p in problems]
    answers = greedy.answer(prompts)
    right = [final_number(greedy.text(a)) == p.answer for a, p in zip(answers, problems)]
    return answers, right


def make_conversations(greedy, options):
    """Fresh conversations of the training side, every assistant turn replaced by the model's own greedy answer."""
    source = random.Random(f"conversations {options.seed}")
    wanted = [draw_conversation(source, CHAT_SHARE) for _ in range(options.conversations)]
    spoken = [[] for _ in wanted]
    failed, as_taught, turns = set(), 0, 0
    for turn in range(max(len(messages) for messages in wanted)):
        for messages, said in zip(wanted, spoken):
            if turn < len(messages) and messages[turn]["role"] != "assistant":
                said.append(messages[turn])
        reached = [i for i, messages in enumerate(wanted) if turn < len(messages) and i not in failed]
        asked = [i for i in reached if wanted[i][turn]["role"] == "assistant"]
        prompts = [greedy.encode(spoken[i], generate=True) for i in asked]
        for i, prompt, answer in zip(asked, prompts, greedy.answer(prompts)):
            spoken[i].append({"role": "assistant", "content": greedy.text(answer)})
            turns += 1
            as_taught += spoken[i][-1]["content"] == wanted[i][turn]["content"]
            if greedy.encode(spoken[i], generate=False)[: len(prompt) + len(answer)] != prompt + answer:
                failed.add(i)  # unfinished, or its text does not encode to the ids generated
    kept = [messages for i, messages in enumerate(spoken) if i not in failed]
    return kept, {"conversations_left_out": len(failed), "as_taught": as_taught / max(turns, 1)}


def write_lines(path, values):
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def write_conversations(greedy, conversations, path):
    """Returns counts for the README."""
    write_lines(path, [{"id": f"fledgling-{i}", "conversations": m} for i, m in enumerate(conversations)])
    encoded = [np.array(greedy.encode(messages, generate=False)) for messages in conversations]
    assistant_turns = [sum(m["role"] == "assistant" for m in messages) for messages in conversations]
    return {
        "conversations": len(conversations),
        "several_turns": sum(turns > 1 for turns in assistant_turns),
        "with_problem": sum(any("####" in m["content"] for m in messages) for messages in conversations),
        "assistant_turns": sum(assistant_turns),
        "tokens": sum(len(ids) for ids in encoded),
        "assistant_tokens": int(sum((token_classes(ids) == 2).sum() for ids in encoded)),
        "longest": max(len(ids) for ids in encoded),
        "vocabulary_used": len(set(np.concatenate(encoded).tolist())),
    }


def measure(greedy, options, directory):
    problems = held_out_problems(options.seed, options.held_out * 5)
    answers, right = held_out_accuracy(greedy, problems)
    listed = problems[: options.held_out]
    write_lines(directory / "held_out.jsonl", [{"question": p.question, "answer": p.solution} for p in listed])
    print("wrong, template by template:")
    for name in sorted({p.template for p, good in zip(problems, right) if not good}):
        wrong = [(p, a) for p, a, good in zip(problems, answers, right) if not good and p.template == name]
        print(f"  {name}: {len(wrong)}; {wrong[0][0].steps} <> {greedy.text(wrong[0][1])!r}")
    on_cpu, _ = held_out_accuracy(Greedy(directory, "cpu"), listed)
    return {
        "held_out": len(listed),
        "accuracy": sum(right[: len(listed)]) / len(listed),
        "accuracy_of_more": sum(right) / len(right),
        "more": len(right),
        "same_on_cpu": sum(a == b for a, b in zip(on_cpu, answers)),
    }


def facts(model, directory):
    return {
        "parameters": model.num_parameters(),
        "split": SPLIT,
        "chat_share": CHAT_SHARE,
        "templates": len(TEMPLATE_LIST),
        "topics": sum(len(topics) for topics in TOPIC_LIST.values()),
        "sha256": hashlib.sha256((directory / "model.safetensors").read_bytes()).hexdigest(),
    }


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--documents", type=int, default=960_000, help="training documents")
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--rows", type=int, default=128, help=f"rows of {ROW_TOKENS} tokens per step")
    parser.add_argument("--learning-rate", type=float, default=2.5e-3)
    parser.add_argument("--conversations", type=int, default=4500)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    return parser.parse_args()


def main():
    options = parse_options()
    began = time.time()
    options.output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(train_tokenizer(options.seed, documents=40_000), options.output)
    rows = make_rows(options, str(options.output / "tokenizer.json"))
    print(f"{len(rows[0])} rows, {(rows[2] > 0).sum()} tokens, {time.time() - began:.0f} s", flush=True)
    seconds, loss = train(rows, options, lambda model: export(model, options.output))
    greedy = Greedy(options.output)
    figures = {"train_seconds": seconds, "loss": loss, "train_tokens": int((rows[2] > 0).sum())}
    figures |= measure(greedy, options, options.output)
    print(f"measured, {time.time() - began:.0f} s: {figures}", flush=True)
    conversations, counts = make_conversations(greedy, options)
    figures |= counts | write_conversations(greedy, conversations, options.output / "conversations.jsonl")
    figures |= {"device": torch.cuda.get_device_name(), "date": datetime.date.today().isoformat()}
    (options.output / "README.md").write_text(readme_text(options, figures, facts(greedy.model, options.output)))
    for name, value in figures.items():
        print(f"{name:24} {value}")
    print(f"all in {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
