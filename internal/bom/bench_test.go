package bom

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

func BenchmarkWrite(b *testing.B) {
	img := random(rand.New(rand.NewPCG(1, 2)), 5000)
	for _, f := range Formats() {
		b.Run(string(f), func(b *testing.B) {
			b.SetBytes(int64(len(write(b, f, img))))
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(io.Discard, f, img, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	img := random(rand.New(rand.NewPCG(1, 2)), 5000)
	for _, f := range lossless {
		doc := write(b, f, img)
		b.Run(string(f), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Read(bytes.NewReader(doc), Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
