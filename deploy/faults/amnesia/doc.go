// Package amnesia is a file system that loses power on command. It is for tests of
// programs that promise to keep what they confirmed.
//
// It promises:
//   - What a program wrote is read back at once, also through a shared read-only mapping,
//     as from any disk. It is durable only once it was synced: file contents and sizes by
//     fsync or fdatasync of the file, names (created, renamed, removed) by fsync of the
//     folder alone, which is the least that POSIX demands.
//   - Restart forgets all that is not durable. Torn, it keeps a random part instead: each
//     sector of 512 bytes and each change of size by its own coin, names in their order up
//     to a random one.
//   - The power can go at any change or sync, counted, and any sync, counted, can answer
//     EIO. As on Linux, a sync that failed is not tried again by the next one: what it
//     should have written is read back until the restart, and never durable.
//   - The disk can be full (ENOSPC) or read-only (EROFS), and deaf: a deaf disk answers
//     every sync well and keeps nothing, for a test that must fail.
//
// It keeps everything in memory, and no times of files. It needs Linux, root and
// /dev/fuse. An FS is safe for concurrent use, but for Mount, Restart and Unmount.
package amnesia
