// Package card is a virtual My Number Card for practice and tests, written from what is
// published about the real one. It speaks the wire protocol of vpcd, the virtual reader of
// vsmartcard, so that the real PC/SC daemon takes it for a card in a reader.
//
// It promises to be strict: it refuses what it has no published reason to accept, loses a
// verified PIN with every SELECT of an applet and every reset, counts tries as the real
// card does, and answers short commands only. It holds no 12-digit number: the files that
// would hold one, or are opened with one, are absent, and asking for one is written down as
// a violation. It shares no code with the program that reads cards.
//
// Applets: JPKI AP (two PINs, two keys, certificates of practice authorities), text AP (the
// four attributes behind its PIN, basic information), visual AP (the dates behind the
// 14-digit number printed on the card). What is behind the face reader, the signatures of
// the text AP and every command that writes are left out.
package card
