package authn

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxCached caps the remembered tokens; when it is reached all are forgotten, which costs
// one verification each and nothing else.
const maxCached = 50_000

// cache remembers verified tokens by their hash until they expire.
type cache struct {
	mu     sync.RWMutex
	tokens map[[sha256.Size]byte]accessClaims
}

func newCache() *cache { return &cache{tokens: map[[sha256.Size]byte]accessClaims{}} }

func (c *cache) get(key [sha256.Size]byte, now time.Time) (accessClaims, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	claims, ok := c.tokens[key]
	if !ok || !now.Before(claims.ExpiresAt.Time) {
		return accessClaims{}, false
	}
	return claims, true
}

func (c *cache) put(key [sha256.Size]byte, claims accessClaims) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) >= maxCached {
		clear(c.tokens)
	}
	c.tokens[key] = claims
}

// endings remembers sessions that ended in this process while their access tokens could
// still be used. Another process learns of the end at the next refresh.
type endings struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newEndings() *endings { return &endings{until: map[string]time.Time{}} }

func (e *endings) add(session string, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s, until := range e.until {
		if now.After(until) {
			delete(e.until, s)
		}
	}
	e.until[session] = now.Add(AccessLifetime)
}

func (e *endings) has(session string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.until[session]
	return ok
}
