#!/usr/bin/env python3
"""Writes bpe.json and sentencepiece.json, the golden tokens of the tests.

They come from independent implementations on small vocabularies trained here:

    python3 -m venv venv && venv/bin/pip install tokenizers sentencepiece
    venv/bin/python make_tokenizers.py [cases per family]

Last made with tokenizers 0.23.3 and sentencepiece 0.2.3.
"""

import json
import os
import random
import sys
import tempfile

import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import trainers

HERE = os.path.dirname(os.path.abspath(__file__))

CORPUS = [
    "The quick brown fox jumps over the lazy dog; it's 42 o'clock, they're off!",
    "def add(a, b):\n    return a + b  # adds\n\n\nclass Foo:\n\tpass\r\n",
    "人工智能正在改变世界，我们需要谨慎。价格是 1234567 元。ひらがなとカタカナー",
    "Ce n'est pas l'été à Zürich; naïve café ЧАСТЬ вторая часть ελληνικά",
    "한국어 문장입니다. العربية لغة جميلة हिन्दी भाषा ١٢٣ ²³ Ⅷ",
    "🙂🚀👩‍👩‍👧 e\u0301cole   three   spaces \u3000wide\u00a0nbsp",
] * 4

TEXTS = [
    "", " ", "  ", "a", " a", "  a", "a ", "a  ", "\n", "\n\n", " \n", "\n ",
    " \n \n  x", "a\r\nb", "\r", "\t\tx", "Hello, world!", "hello   world",
    "It's we'll I'D they'RE 'S 'ſ 'x ''s", "1234567890", "a1b22c333d4444",
    "3.14159 -1,000.50 1e-9", "foo(bar)[baz]{qux}", "x=y+z;//comment",
    "!!!???", "...hello", "$foo @bar #baz _qux", "!\n\n", "! \n", "a!\r\n\r\nb",
    "人工智能", "中文English混排123", "価格は１２３円です。", "ー・カタカナ",
    "“引用”，（括号）。", "café", "cafe\u0301", "ZÜRICH straße", "Привет, мир",
    "ελληνικά ώ", "한국어 문장", "हिन्दी भाषा", "العربية ١٢٣", "²³ Ⅷ ½",
    "🙂", "👩‍👩‍👧 family", "a\u200db", "\u00a0nbsp\u3000wide", "x\u2028y\u0085z",
    "   leading", "trailing   ", "tab\tand  space", "a\u0000b", "\ufeffbom",
    "<|end|>", "a<|end|>b", "a <|end|> b", "<|en<|end|>", "<user>x</user>",
    "ǅ ǆ ʰ ª º", "ꙮ 𝒳 𐐀", "\u0301\u0301a", "  \u0301x", "ᾼι ΐ K Ω",
]


def random_text(rng):
    alphabet = list("aZé中ーあ한１1² .,!$+'sSt\n\r\t  _-/") + [
        "\u00a0", "\u3000", "\u0301", "\u200d", "🙂", "Ж", "ﬁ", "ª", "ʰ",
        "<|end|>", "'re", "   ", "\n\n", "ª", "。", "“", "Ａ", "\u2003"]
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 24)))


QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
         r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
V3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"
      r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
      r"\s*[\r\n]+|\s+(?!\S)|\s+").replace('\\"', '"')
# Letters with case, as DeepSeek-LLM lists them.
LETTERS = (
    "µÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫ"
    "ᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴ"
    "ῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎ"
    "ꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃")


def isolated(pattern):
    return pre.Split(Regex(pattern), "isolated")


def byte_level():
    return pre.ByteLevel(add_prefix_space=False, use_regex=False)


FAMILIES = {
    "gpt-2": pre.ByteLevel(add_prefix_space=False, use_regex=True),
    "qwen2": pre.Sequence([isolated(QWEN2), byte_level()]),
    "deepseek-llm": pre.Sequence([
        isolated(r"[\r\n]"), isolated(r"\s?[A-Za-z" + LETTERS + "]+"),
        isolated("\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f"
                 "\u3000-\u3002]+"),
        isolated(r"\s+$"), isolated("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
        pre.Digits(individual_digits=False), byte_level()]),
    "deepseek-v3": pre.Sequence([
        isolated(r"\p{N}{1,3}"),
        isolated("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), isolated(V3),
        byte_level()]),
}

SPECIALS = [("<|end|>", True, False), ("<user>", False, False),
            ("</user>", False, True)]


def train_bytes():
    # Trained without cutting words, so that merges show where words are cut.
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = byte_level()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=520, initial_alphabet=pre.ByteLevel.alphabet(),
        max_token_length=5, show_progress=False))
    return tokenizer


def add_specials(tokenizer):
    from tokenizers import AddedToken
    for text, special, rstrip in SPECIALS:
        token = AddedToken(text, special=special, normalized=False,
                           rstrip=rstrip)
        if special:
            tokenizer.add_special_tokens([token])
        else:
            tokenizer.add_tokens([token])


def cases(tokenizer, texts, words):
    result = []
    for text in texts:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        case = {"text": text, "ids": encoding.ids}
        if words and "<" not in text:
            cut = tokenizer.pre_tokenizer.pre_tokenize_str(text)
            case["words"] = [text[b:e] for _, (b, e) in cut]
        result.append(case)
    return result


def make_bpe(texts):
    tokenizer = train_bytes()
    add_specials(tokenizer)
    families = {}
    for name, pre_tokenizer in FAMILIES.items():
        tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.normalizer = None
        words = cases(tokenizer, texts, True)
        if name == "qwen2":  # the one family that normalises
            tokenizer.normalizer = normalizers.NFC()
        ids = cases(tokenizer, texts, False)
        for case, cut in zip(ids, words):
            if "words" in cut:
                case["words"] = cut["words"]
        document = json.loads(tokenizer.to_str())
        families[name] = {"pre_tokenizer": document["pre_tokenizer"],
                          "normalizer": document["normalizer"], "cases": ids}
    document["pre_tokenizer"] = document["normalizer"] = None
    return {"tokenizer": document, "families": families}


def make_gemma_like(texts):
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True,
                                     unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("\u2581", " "), decoders.ByteFallback(),
        decoders.Fuse()])
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=600, max_token_length=6, show_progress=False, limit_alphabet=80,
        special_tokens=["<unk>"] + ["<0x%02X>" % b for b in range(256)]))
    # Byte pieces belong to the model, not to the text.
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = document["added_tokens"][:1]
    document["pre_tokenizer"] = {
        "type": "Split", "pattern": {"String": " "},
        "behavior": "MergedWithPrevious", "invert": False}
    tokenizer = Tokenizer.from_str(json.dumps(document))
    add_specials(tokenizer)
    return {"tokenizer": json.loads(tokenizer.to_str()),
            "cases": cases(tokenizer, texts, False)}


def make_sentencepiece(texts, prefix):
    # Models with a dummy prefix define no pieces that begin with a space.
    defined = [] if prefix else ["\u2581\u2581", "<user>", "\n\n", "\n"]
    with tempfile.TemporaryDirectory() as folder:
        corpus = os.path.join(folder, "corpus.txt")
        with open(corpus, "w") as file:
            for line in CORPUS:
                file.write(line.replace("\n", " ").replace("\r", " ") + "\n")
        sentencepiece.SentencePieceTrainer.train(
            input=corpus, model_prefix=os.path.join(folder, "m"),
            vocab_size=620, model_type="bpe", byte_fallback=True,
            normalization_rule_name="identity", add_dummy_prefix=prefix,
            remove_extra_whitespaces=False, character_coverage=0.98,
            user_defined_symbols=defined,
            control_symbols=["<|end|>"], hard_vocab_limit=False,
            minloglevel=2)
        model = sentencepiece.SentencePieceProcessor(
            model_file=os.path.join(folder, "m.model"))
    pieces, kinds = [], []
    for i in range(model.get_piece_size()):
        piece, kind = model.id_to_piece(i), 1
        if model.is_unknown(i):
            kind = 2
        elif model.is_control(i):
            kind = 3
        elif model.is_byte(i):
            kind = 6
        elif piece in defined:
            kind, piece = 4, piece.replace("\u2581", " ")  # as GGUF has them
        pieces.append(piece)
        kinds.append(kind)
    scores = [model.get_score(i) for i in range(len(pieces))]
    # "<|end|>" is a control piece: sentencepiece never reads it from text.
    return {"pieces": pieces, "kinds": kinds, "scores": scores,
            "add_space_prefix": prefix,
            "cases": [{"text": text, "ids": model.encode(text)}
                      for text in texts if "\0" not in text]}


def write(name, value):
    with open(os.path.join(HERE, name), "w") as file:
        json.dump(value, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    rng = random.Random(7)
    texts = TEXTS + [random_text(rng) for _ in range(count)]
    bpe = make_bpe(texts)
    bpe["gemma_like"] = make_gemma_like(texts)
    write("bpe.json", bpe)
    write("sentencepiece.json", {"plain": make_sentencepiece(texts, False),
                                 "prefix": make_sentencepiece(texts, True)})


if __name__ == "__main__":
    main()
