package shc

import (
	"math/bits"
	"slices"
	"sync"
)

// Compression for one small text at a time: a single block of RFC 1951 with codes of its own.
// The library's writer is made for streams: preparing and clearing its tables costs more than
// the signature that follows.
const (
	minMatch   = 3
	maxMatch   = 258
	window     = 32 << 10 // how far back a match may lie
	hashBits   = 12
	maxChain   = 32 // earlier places that are tried
	endOfBlock = 256
	litCodes   = 286
	distCodes  = 30
	sizeCodes  = 19
	litLimit   = 15 // bits of a code
	sizeLimit  = 7
	isMatch    = 1 << 31
)

// sizeOrder is the order in which the lengths of the lengths' codes are written.
var sizeOrder = [sizeCodes]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// deflater is what compressing one payload needs, kept between cards.
type deflater struct {
	head   [1 << hashBits]int32 // place of the newest text with a hash, from 1
	prev   []int32              // place before it
	tokens []uint32             // literals, and matches as isMatch | length-3 << 16 | distance-1
	lits   huffman
	dists  huffman
	sizes  huffman
	runs   []uint16 // the lengths of all codes, runs as 16 to 18 with their extra bits above
	out    []byte
	acc    uint64
	n      uint
}

var deflaters = sync.Pool{New: func() any { return &deflater{} }}

// deflate writes raw DEFLATE (RFC 1951) of a text of at most MaxPayload bytes.
func deflate(text []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out, d.acc, d.n = d.out[:0], 0, 0
	d.match(text)
	d.lits.build(litLimit)
	d.dists.build(litLimit)
	d.writeHead()
	d.writeTokens()
	d.put(0, 7) // the last bits
	out := slices.Clone(d.out)
	clear(d.tokens) // nothing of a person stays
	clear(d.out)
	return out
}

func (d *deflater) put(value uint64, n uint) {
	d.acc |= value << d.n
	for d.n += n; d.n >= 8; d.n -= 8 {
		d.out = append(d.out, byte(d.acc))
		d.acc >>= 8
	}
}

func hash3(b []byte) uint32 {
	return (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16) * 0x9E3779B1 >> (32 - hashBits)
}

// match finds what repeats and counts what will be written. A match is given up where the
// next place has a longer one.
func (d *deflater) match(text []byte) {
	clear(d.head[:])
	d.prev = slices.Grow(d.prev[:0], len(text))[:len(text)]
	d.tokens = d.tokens[:0]
	d.lits.reset(litCodes)
	d.dists.reset(distCodes)
	length, distance := 0, 0
	for i := 0; i < len(text); {
		if length == 0 {
			length, distance = d.longest(text, i)
		}
		d.insert(text, i)
		next, nextDistance := 0, 0
		if length >= minMatch && length < maxMatch && i+1 < len(text) {
			next, nextDistance = d.longest(text, i+1)
		}
		if length < minMatch || next > length {
			d.literal(text[i])
			i++
			length, distance = next, nextDistance
			continue
		}
		d.repeat(length, distance)
		for j := i + 1; j < i+length; j++ {
			d.insert(text, j)
		}
		i += length
		length = 0
	}
	d.lits.freq[endOfBlock]++
	if d.dists.none() {
		d.dists.freq[0]++ // readers want one code
	}
}

func (d *deflater) insert(text []byte, i int) {
	if i+minMatch <= len(text) {
		h := hash3(text[i:])
		d.prev[i] = d.head[h]
		d.head[h] = int32(i + 1)
	}
}

// longest gives the longest earlier text that repeats at i.
func (d *deflater) longest(text []byte, i int) (length, distance int) {
	most := min(len(text)-i, maxMatch)
	if most < minMatch {
		return 0, 0
	}
	place := int(d.head[hash3(text[i:])]) - 1
	for tries := maxChain; place >= 0 && i-place <= window && tries > 0; tries-- {
		if length == 0 || (length < most && text[place+length] == text[i+length]) {
			n := 0
			for n < most && text[place+n] == text[i+n] {
				n++
			}
			if n > length && n >= minMatch {
				if length, distance = n, i-place; n == most {
					break
				}
			}
		}
		place = int(d.prev[place]) - 1
	}
	return length, distance
}

func (d *deflater) literal(b byte) {
	d.tokens = append(d.tokens, uint32(b))
	d.lits.freq[b]++
}

func (d *deflater) repeat(length, distance int) {
	d.tokens = append(d.tokens, isMatch|uint32(length-minMatch)<<16|uint32(distance-1))
	code, _, _ := lengthCode(length)
	d.lits.freq[code]++
	code, _, _ = distanceCode(distance)
	d.dists.freq[code]++
}

// lengthCode gives the code of a match's length with its extra bits (section 3.2.5).
func lengthCode(length int) (code int, extra uint64, n uint) {
	switch {
	case length == maxMatch:
		return 285, 0, 0
	case length < 11:
		return 254 + length, 0, 0
	}
	n = uint(bits.Len(uint(length-minMatch))) - 3
	return 257 + int(4*n) + (length-minMatch)>>n, uint64(length-minMatch) & (1<<n - 1), n
}

// distanceCode gives the code of a match's distance with its extra bits.
func distanceCode(distance int) (code int, extra uint64, n uint) {
	if distance < 5 {
		return distance - 1, 0, 0
	}
	n = uint(bits.Len(uint(distance-1))) - 2
	return int(2*n) + (distance-1)>>n, uint64(distance-1) & (1<<n - 1), n
}

// writeHead writes the block's head: its codes' lengths, with a code of their own.
func (d *deflater) writeHead() {
	lits, dists := d.lits.used(endOfBlock+1), d.dists.used(1)
	d.sizes.reset(sizeCodes)
	d.runs = d.runs[:0]
	var all [litCodes + distCodes]uint8
	copy(all[:], d.lits.size[:lits])
	copy(all[lits:], d.dists.size[:dists])
	d.runLengths(all[:lits+dists])
	d.sizes.build(sizeLimit)
	count := sizeCodes
	for count > 4 && d.sizes.size[sizeOrder[count-1]] == 0 {
		count--
	}
	d.put(1, 1) // the last block
	d.put(2, 2) // with codes of its own
	d.put(uint64(lits-257), 5)
	d.put(uint64(dists-1), 5)
	d.put(uint64(count-4), 4)
	for _, symbol := range sizeOrder[:count] {
		d.put(uint64(d.sizes.size[symbol]), 3)
	}
	for _, run := range d.runs {
		symbol := int(run & 0xff)
		d.symbol(&d.sizes, symbol)
		if symbol >= 16 {
			d.put(uint64(run>>8), [...]uint{2, 3, 7}[symbol-16])
		}
	}
}

// runLengths writes lengths as they are or as runs (section 3.2.7).
func (d *deflater) runLengths(all []uint8) {
	add := func(symbol, extra int) {
		d.runs = append(d.runs, uint16(symbol|extra<<8))
		d.sizes.freq[symbol]++
	}
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		switch {
		case all[i] == 0 && n >= 11:
			n = min(n, 138)
			add(18, n-11)
		case all[i] == 0 && n >= 3:
			add(17, n-3)
		case i > 0 && all[i-1] == all[i] && n >= 3:
			n = min(n, 6)
			add(16, n-3)
		default:
			n = 1
			add(int(all[i]), 0)
		}
		i += n
	}
}

func (d *deflater) symbol(h *huffman, symbol int) {
	d.put(uint64(h.code[symbol]), uint(h.size[symbol]))
}

func (d *deflater) writeTokens() {
	for _, token := range d.tokens {
		if token&isMatch == 0 {
			d.symbol(&d.lits, int(token))
			continue
		}
		code, extra, n := lengthCode(int(token&^isMatch>>16) + minMatch)
		d.symbol(&d.lits, code)
		d.put(extra, n)
		code, extra, n = distanceCode(int(token&0xffff) + 1)
		d.symbol(&d.dists, code)
		d.put(extra, n)
	}
	d.symbol(&d.lits, endOfBlock)
}

// huffman is one canonical code (section 3.2.2).
type huffman struct {
	symbols int
	freq    [litCodes]uint32
	size    [litCodes]uint8
	code    [litCodes]uint16 // its first bit lowest, as it is written
	order   []uint64         // frequency above, symbol below
	weights []uint32
}

func (h *huffman) reset(symbols int) {
	h.symbols = symbols
	clear(h.freq[:symbols])
	clear(h.size[:symbols])
}

func (h *huffman) none() bool {
	return !slices.ContainsFunc(h.freq[:h.symbols], func(n uint32) bool { return n > 0 })
}

// used gives how many lengths are to be written, at least so many.
func (h *huffman) used(least int) int {
	n := h.symbols
	for n > least && h.size[n-1] == 0 {
		n--
	}
	return n
}

// build gives each symbol that occurs a code of at most limit bits.
func (h *huffman) build(limit int) {
	h.order = h.order[:0]
	for symbol, n := range h.freq[:h.symbols] {
		if n > 0 {
			h.order = append(h.order, uint64(n)<<16|uint64(symbol))
		}
	}
	slices.Sort(h.order)
	counts := h.counts(limit)
	i := 0
	for size := limit; size > 0; size-- { // the rarest get the longest codes
		for range counts[size] {
			h.size[h.order[i]&0xffff] = uint8(size)
			i++
		}
	}
	var next [litLimit + 2]uint16
	for size := 1; size <= limit; size++ {
		next[size+1] = (next[size] + uint16(counts[size])) << 1
	}
	for symbol, size := range h.size[:h.symbols] {
		if size > 0 {
			h.code[symbol] = bits.Reverse16(next[size]) >> (16 - size)
			next[size]++
		}
	}
}

// counts gives how many codes of each length there are: those of the shortest text, found in
// place (A. Moffat, J. Katajainen: In-place calculation of minimum-redundancy codes, 1995),
// shortened where they are longer than the limit.
func (h *huffman) counts(limit int) (counts [litLimit + 1]int) {
	n := len(h.order)
	if n < 2 {
		counts[1] = n
		return counts
	}
	a := slices.Grow(h.weights[:0], n)[:n]
	h.weights = a
	for i, o := range h.order {
		a[i] = uint32(o >> 16)
	}
	a[0] += a[1]
	root, leaf := 0, 2
	for next := 1; next < n-1; next++ {
		take := func() uint32 {
			if leaf >= n || (root < next && a[root] < a[leaf]) {
				weight := a[root]
				a[root] = uint32(next)
				root++
				return weight
			}
			leaf++
			return a[leaf-1]
		}
		first := take()
		a[next] = first + take()
	}
	a[n-2] = 0
	for next := n - 3; next >= 0; next-- {
		a[next] = a[a[next]] + 1
	}
	available, depth := 1, 0
	for root = n - 2; available > 0; depth++ {
		inner := 0
		for root >= 0 && int(a[root]) == depth {
			inner++
			root--
		}
		counts[min(depth, limit)] += available - inner
		available = 2 * inner
	}
	shorten(&counts, limit)
	return counts
}

// shorten makes room for codes that were cut to the limit, by lengthening others.
func shorten(counts *[litLimit + 1]int, limit int) {
	taken := 0
	for size := 1; size <= limit; size++ {
		taken += counts[size] << (limit - size)
	}
	for taken > 1<<limit {
		size := limit - 1
		for counts[size] == 0 {
			size--
		}
		counts[size]--
		counts[size+1]++
		taken -= 1 << (limit - size - 1)
	}
}
