// Package scanner promises the text of a QR code from what a reader or camera delivers:
// it decodes pictures within bounds of bytes and pixels, and puts the parts of a split
// code together. It judges nothing: the text is for shared/cert/verify.
package scanner

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // registers the two kinds of picture that are read
	_ "image/png"
	"strings"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/cert/shc"
	"madoguchi.example/shared/fault"
)

// Limits, checked before a picture is decoded.
const (
	MaxPicture = 8 << 20    // bytes of a file
	MaxPixels  = 13_000_000 // width times height
	MaxSide    = 16_384     // pixels
	maxCorners = 400        // places that look like a code's corner: the decoder tries any three of them
	maxScans   = 64         // passes of a JPEG over its pixels; a progressive one has about ten
)

// Code is what a picture holds.
type Code struct {
	Text     string
	Findings []cert.Finding
}

var (
	startOfJPEG = []byte{0xff, 0xd8, 0xff}
	startOfScan = []byte{0xff, 0xda}
)

// IsPicture tells whether the bytes begin as a PNG or JPEG file does.
func IsPicture(head []byte) bool {
	return bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")) || bytes.HasPrefix(head, startOfJPEG)
}

// Decode reads the QR code of a PNG or JPEG picture. Faults: TooLarge, InvalidArgument
// where it is no such picture, NotFound where no code can be read in it.
func Decode(picture []byte) (Code, error) {
	img, err := openPicture(picture)
	if err != nil {
		return Code{}, err
	}
	result, err := read(img)
	if err != nil {
		return Code{}, fault.Wrap(fault.NotFound, err, "no QR code can be read in the picture")
	}
	code := Code{Text: result.GetText(), Findings: []cert.Finding{}}
	if singleSegment(result) {
		code.Findings = append(code.Findings, shc.QRSingleSegment)
	}
	return code, nil
}

// mostPixels gives how many pixels a picture may have: half as many where each takes twice
// the memory of others.
func mostPixels(size image.Config) int {
	if size.ColorModel == color.RGBA64Model || size.ColorModel == color.NRGBA64Model {
		return MaxPixels / 2
	}
	return MaxPixels
}

func openPicture(picture []byte) (image.Image, error) {
	if len(picture) > MaxPicture {
		return nil, fault.At(fault.TooLarge, "picture", "larger than %d bytes", MaxPicture)
	}
	if !IsPicture(picture) {
		return nil, fault.At(fault.InvalidArgument, "picture", "neither PNG nor JPEG")
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "the picture cannot be read")
	}
	if size.Width < 1 || size.Height < 1 || size.Width > MaxSide || size.Height > MaxSide || size.Width*size.Height > mostPixels(size) {
		return nil, fault.At(fault.TooLarge, "picture", "more than %d pixels", mostPixels(size))
	}
	// Pixels stuff a byte FF with 00, so nothing but the start of a pass looks like one.
	if bytes.Count(picture, startOfScan) > maxScans && bytes.HasPrefix(picture, startOfJPEG) {
		return nil, fault.At(fault.TooLarge, "picture", "more than %d passes over the pixels", maxScans)
	}
	img, _, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArgument, err, "the picture cannot be read")
	}
	return img, nil
}

// turns are how often a picture is turned by a quarter before it is given up. The decoder
// now and then takes a chance pattern within a dense code for one of its corners; in the
// turned picture it meets the corners in another order.
const turns = 3

// read looks for a code, first with the binarizer for uneven light.
func read(img image.Image) (*gozxing.Result, error) {
	source := gozxing.NewLuminanceSourceFromImage(img)
	if result, err := attempt(gozxing.NewHybridBinarizer(source)); err == nil {
		return result, nil
	}
	if result, err := attempt(gozxing.NewGlobalHistgramBinarizer(source)); err == nil {
		return result, nil
	}
	if result, err := attempt(gozxing.NewHybridBinarizer(source.Invert())); err == nil {
		return result, nil // light on dark, as some telephones show it at night
	}
	for range turns {
		turned, err := source.RotateCounterClockwise()
		if err != nil {
			return nil, fmt.Errorf("cannot turn the picture: %w", err)
		}
		source = turned
		if result, err := attempt(gozxing.NewHybridBinarizer(source)); err == nil {
			return result, nil
		}
	}
	return nil, errors.New("no code found")
}

// attempt reads a code. The library is not kept up any more, so a panic of its own is only
// a picture that it cannot read. It tells of each place that looks like a corner; a picture
// that is full of them would keep it for hours, so it is stopped there by a panic too.
func attempt(binarizer gozxing.Binarizer) (result *gozxing.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("the decoder gave up: %v", p)
		}
	}()
	bitmap, err := gozxing.NewBinaryBitmap(binarizer)
	if err != nil {
		return nil, err
	}
	corners := 0
	return qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{
		gozxing.DecodeHintType_TRY_HARDER:    true,
		gozxing.DecodeHintType_CHARACTER_SET: "UTF-8",
		gozxing.DecodeHintType_NEED_RESULT_POINT_CALLBACK: gozxing.ResultPointCallback(func(gozxing.ResultPoint) {
			if corners++; corners > maxCorners {
				panic("too many corners")
			}
		}),
	})
}

// singleSegment tells whether a card's digits stand in the byte segment that is for
// "shc:/" alone: readable, but no issuer may print it so.
func singleSegment(result *gozxing.Result) bool {
	if !strings.HasPrefix(result.GetText(), "shc:/") {
		return false
	}
	segments, _ := result.GetResultMetadata()[gozxing.ResultMetadataType_BYTE_SEGMENTS].([][]byte)
	for _, segment := range segments {
		if len(segment) > len("shc:/00/00/") {
			return true
		}
	}
	return false
}
