package upstream

import "math/bits"

// A draw takes chances by weight, each in the same short time (Vose's alias method): every place of the table belongs to
// one instance up to a threshold and to another one above it.
type draw struct {
	rand  func() uint64
	limit []uint32 // nil if all weights are the same
	other []uint32
	n     int
}

func newDraw(weights []float64, rand func() uint64) draw {
	d := draw{rand: rand, n: len(weights)}
	sum, equal := 0.0, true
	for _, w := range weights {
		sum += w
		equal = equal && w == weights[0]
	}
	if equal {
		return d
	}
	d.limit, d.other = make([]uint32, d.n), make([]uint32, d.n)
	var small, large []int
	share := make([]float64, d.n)
	for i, w := range weights {
		share[i] = w / sum * float64(d.n)
		d.limit[i], d.other[i] = ^uint32(0), uint32(i)
		if share[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		d.limit[s], d.other[s] = uint32(share[s]*(1<<32-1)), uint32(l)
		if share[l] -= 1 - share[s]; share[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return d
}

// one returns a place by chance.
func (d *draw) one() int {
	r := d.rand()
	at := below(uint32(r>>32), d.n)
	if d.limit != nil && uint32(r) > d.limit[at] {
		return int(d.other[at])
	}
	return at
}

// two returns two places by chance. They differ if all weights are the same and there are two at all; otherwise they may
// be the same, or a light one would be among them too often.
func (d *draw) two() (int, int) {
	if d.limit != nil || d.n == 1 {
		return d.one(), d.one()
	}
	r := d.rand()
	i, j := below(uint32(r>>32), d.n), below(uint32(r), d.n-1)
	if j >= i {
		j++
	}
	return i, j
}

// below maps 32 random bits to a number below n, evenly enough for any n there is.
func below(r uint32, n int) int {
	hi, _ := bits.Mul32(r, uint32(n))
	return int(hi)
}
