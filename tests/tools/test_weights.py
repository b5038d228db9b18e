"""Weights files: what inspect and tokenize show, and damaged ones."""

import json
import os
import shutil
import unittest

from support import GEMMA, GOLDEN, MODEL, PROMPT, QWEN, TENON, ToolTest


def cases(folder):
    loaded = json.loads((folder / "cases.json").read_text())
    return [case for case in loaded if "text" in case]


class Inspect(ToolTest):
    def test_gguf(self):
        text = self.succeed("inspect", QWEN / "model.gguf", "--tensors").stdout
        self.assertIn("GGUF weights", text)
        self.assertRegex(text, r"qwen2\.block_count +2\n")
        self.assertRegex(text, r"blk\.1\.attn_q\.weight +f32 +\[64, 64\] +16384")

    def test_safetensors_folder(self):
        text = self.succeed("inspect", GEMMA, "--tensors").stdout
        self.assertIn("safetensors weights", text)
        self.assertRegex(text, r"model\.embed_tokens\.weight +bf16 +"
                               r"\[128, 64\] +16384")

    def test_json_has_the_same(self):
        found = json.loads(self.succeed("inspect", QWEN / "model.gguf",
                                        "--tensors", "--json").stdout)
        self.assertEqual(found["format"], "GGUF")
        self.assertEqual(found["metadata"]["qwen2.block_count"], 2)
        tensors = {tensor["name"]: tensor for tensor in found["tensors"]}
        self.assertEqual(tensors["token_embd.weight"]["shape"], [96, 64])
        self.assertEqual(sum(t["bytes"] for t in found["tensors"]),
                         found["types"]["f32"]["bytes"])

    def test_options_of_programs_are_refused(self):
        self.fail("inspect", QWEN / "model.gguf", "--plan", says=["--plan"])


class Tokenize(ToolTest):
    def ids(self, model, text):
        found = json.loads(
            self.succeed("tokenize", model, text, "--json").stdout)
        return [token["id"] for token in found["tokens"]]

    def test_gives_the_golden_ids(self):
        for case in cases(GEMMA):
            with self.subTest(case["text"]):
                self.assertEqual(self.ids(MODEL, case["text"]), case["tokens"])

    def test_decodes_them_back(self):
        case = cases(GEMMA)[1]
        ids = ",".join(map(str, case["tokens"][1:]))  # without BOS
        text = self.succeed("tokenize", MODEL, "--decode", ids).stdout
        self.assertEqual(text, case["text"] + "\n")

    def test_table_shows_pieces(self):
        text = self.succeed("tokenize", MODEL, PROMPT).stdout
        first = cases(GEMMA)[0]["tokens"][0]
        self.assertRegex(text, rf"(?m)^ *{first}  \S")

    def test_id_that_is_no_token(self):
        self.fail("tokenize", MODEL, "--decode", "128",
                  says=["128"])

    def test_neither_text_nor_ids(self):
        self.fail("tokenize", MODEL, says=["--decode"])

    def test_text_that_is_not_utf8(self):
        self.fail("tokenize", MODEL, os.fsdecode(b"\xff"),
                  says=["UTF-8"])

    def test_no_tokenizer(self):
        self.fail("tokenize", QWEN, "x", says=["tokenizer.json"])

    def test_tokenizer_with_holes(self):
        self.fail("tokenize", QWEN / "model.gguf", "x",
                  says=["model.gguf", "byte 0"])


class Damaged(ToolTest):
    """Every command refuses the same files alike, and leaves none."""

    def refuse(self, path, *says):
        output = self.folder / "out.tenon"
        for command in (["run", path, "-p", PROMPT], ["inspect", path],
                        ["tokenize", path, PROMPT],
                        ["compile", path, "-o", output]):
            with self.subTest(command[0]):
                self.fail(*command, says=says)
        self.assertFalse(output.exists())

    def test_missing(self):
        self.refuse(self.folder / "none.gguf", "none.gguf", "no such file")

    def test_cut_short(self):
        whole = (QWEN / "model.gguf").stat().st_size
        for size in (3, 100, whole // 2, whole - 1):
            path = self.changed(QWEN / "model.gguf", f"cut-{size}.gguf",
                                lambda data, size=size: data[:size])
            self.refuse(path, path.name)

    def test_neither_format(self):
        path = self.folder / "text.gguf"
        path.write_text("this is a text file, not a model\n")
        self.refuse(path, "text.gguf", ".safetensors")

    def test_empty_folder(self):
        path = self.folder / "empty"
        path.mkdir(exist_ok=True)
        self.refuse(path, "empty", "model.safetensors")


class NoCompiler(ToolTest):
    """tenon by itself: all that needs no compiler works."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.folder / "alone").mkdir()
        cls.alone = cls.folder / "alone/tenon"
        shutil.copy(TENON, cls.alone)

    def test_says_what_is_missing(self):
        self.fail("run", MODEL, "-p", PROMPT,
                  program=self.alone,
                  says=["libtenon_compiler.so", "alone", ".tenon"])
        output = self.folder / "out.tenon"
        self.fail("compile", MODEL, "-o", output,
                  program=self.alone, says=["libtenon_compiler.so"])
        self.assertFalse(output.exists())

    def test_inspects_and_tokenizes(self):
        self.succeed("inspect", MODEL, program=self.alone)
        self.succeed("tokenize", MODEL, PROMPT,
                     program=self.alone)


class Gemma270M(ToolTest):
    def test_tokens_of_a_real_vocabulary(self):
        cache = os.environ.get("TENON_CACHE") or os.path.expanduser(
            "~/.cache/tenon")
        model = os.path.join(cache, "gemma-3-270m-q4_k_m.gguf")
        if not os.path.exists(model):
            self.skipTest(f"no {model}; scripts/get-model makes it")
        texts = {prompt["name"]: prompt["text"] for prompt in json.loads(
            (GOLDEN / "prompts.json").read_text())}
        for golden in json.loads((GOLDEN / "gemma3-270m.json").read_text()):
            found = json.loads(self.succeed(
                "tokenize", model, texts[golden["name"]], "--json").stdout)
            self.assertEqual([token["id"] for token in found["tokens"]],
                             golden["prompt"])


if __name__ == "__main__":
    unittest.main()
