// Judges what the log gives out by the code of Go's checksum database: packages note and tlog of golang.org/x/mod.
// Reads cases as JSON from standard input, and writes for each what it thinks of it: "" for good, or what is wrong.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type testCase struct {
	VerifierKey string
	// The signed note.
	Checkpoint string
	// Of an entry, in Base 64: the bytes that its leaf is the hash of. Empty where none is to be judged.
	Entry string
	Index int64
	// In Base 64.
	Path []string
	// An older checkpoint, signed by the same key, and the proof that the log goes on from it. Empty for none.
	Old   string
	Proof []string
}

func main() {
	var cases []testCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	verdicts := make([]string, len(cases))
	for i, c := range cases {
		if err := judge(c); err != nil {
			verdicts[i] = err.Error()
		}
	}
	json.NewEncoder(os.Stdout).Encode(verdicts)
}

func judge(c testCase) error {
	tree, err := openTree(c.Checkpoint, c.VerifierKey)
	if err != nil {
		return err
	}
	if c.Entry != "" {
		entry, err := base64.StdEncoding.DecodeString(c.Entry)
		if err != nil {
			return err
		}
		path, err := hashes(c.Path)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(tlog.RecordProof(path), tree.N, tree.Hash, c.Index, tlog.RecordHash(entry)); err != nil {
			return err
		}
	}
	if c.Old != "" {
		old, err := openTree(c.Old, c.VerifierKey)
		if err != nil {
			return err
		}
		proof, err := hashes(c.Proof)
		if err != nil {
			return err
		}
		return tlog.CheckTree(tlog.TreeProof(proof), tree.N, tree.Hash, old.N, old.Hash)
	}
	return nil
}

// A checkpoint is what the checksum database calls a tree note, but for the name of the log in its first line.
func openTree(text, verifierKey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.SplitN(opened.Text, "\n", 2)
	if len(lines) < 2 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("the checkpoint is not of the log that the key is of")
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + lines[1]))
}

func hashes(texts []string) ([]tlog.Hash, error) {
	parsed := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		hash, err := tlog.ParseHash(text)
		if err != nil {
			return nil, err
		}
		parsed[i] = hash
	}
	return parsed, nil
}
