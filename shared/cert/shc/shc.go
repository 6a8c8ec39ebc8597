// Package shc promises SMART Health Cards (version 1.4 of the framework, STU 1): cards it
// issues keep every SHALL of the specification and fit one QR code of version 22, and
// cards it verifies get a reason, never only yes or no.
//
// Reading is strict where another reader could see something else (base64url, JSON names,
// signature form, compression) and forgiving where real issuers differ without harm
// (extra credential types, fractional times, members outside the vaccination profile):
// those become findings. Every size is bounded before the step that it would burden.
//
// Specification: HL7 smart-health-cards-and-links, "SMART Health Cards"; vaccination
// profile: fhir-shc-vaccination-ig, data minimisation (DM) profiles.
package shc

import (
	"madoguchi.example/shared/cert"
	"madoguchi.example/shared/trust"
)

// Format names this format.
const Format cert.Format = "shc"

// Section is this format's part of a trust layout: the folder shc of issuers' key sets.
var Section = trust.Section{Name: "shc", Load: func(f *trust.Folder) (any, error) { return trust.LoadIssuers(f) }}

// Limits. Each is checked before the text is decoded.
const (
	MaxSingleQR    = 1195      // characters of a JWS in one QR of version 22 at level L
	MaxPart        = 7089 + 16 // characters of one QR text: what version 40 holds, and the prefix
	MaxParts       = 32        // codes of one split card
	MaxJWS         = 64 << 10  // characters of one JWS
	MaxPayload     = 64 << 10  // bytes of one inflated payload
	MaxFile        = 256 << 10 // bytes of a .smart-health-card file
	MaxCards       = 16        // cards of one file
	MaxInput       = MaxFile   // bytes of anything handed to Verify
	maxHeader      = 512       // bytes of a header
	maxEntries     = 128       // resources of one bundle
	maxDoses       = 64        // vaccinations of one card
	maxTypes       = 64        // credential types of one card
	healthCardType = "https://smarthealth.cards#health-card"
	systemCVX      = "http://hl7.org/fhir/sid/cvx"
	systemMVX      = "http://hl7.org/fhir/sid/mvx"
	fhirVersion    = "4.0.1"
)

// FileName is the extension of a card's file and MediaType its type.
const (
	FileName  = ".smart-health-card"
	MediaType = "application/smart-health-card"
)

// Findings that this format gives.
const (
	TimeInMilliseconds  cert.Finding = "time_in_milliseconds"  // nbf or exp looks like milliseconds
	CertificateOutdated cert.Finding = "key_certificate_dated" // the key's x5c is not of this time; keys are pinned, so a remark
	HeaderMember        cert.Finding = "header_member"         // a header parameter beside alg, zip and kid: not looked at
	OtherResource       cert.Finding = "other_resource"        // a resource that is neither Patient nor Immunization
	PatientNotFirst     cert.Finding = "patient_not_first"
	FullURLForm         cert.Finding = "full_url_form"        // not resource:0, resource:1, …
	PatientReference    cert.Finding = "patient_reference"    // does not point at the Patient
	ResourceID          cert.Finding = "resource_id"          // SHALL NOT
	ResourceText        cert.Finding = "resource_text"        // SHALL NOT
	MetaNotSecurity     cert.Finding = "meta_not_security"    // SHALL NOT
	ConceptText         cert.Finding = "concept_text"         // SHALL NOT
	CodingDisplay       cert.Finding = "coding_display"       // SHALL NOT
	BundleType          cert.Finding = "bundle_type"          // not "collection"
	FHIRVersion         cert.Finding = "fhir_version"         // not 4.x
	NotMinimal          cert.Finding = "not_minimal"          // members outside the DM profile
	CodeNotCVX          cert.Finding = "vaccine_code_not_cvx" // the first code is shown
	DeprecatedChunks    cert.Finding = "split_code"           // several QR codes: deprecated since December 2022
	QRSingleSegment     cert.Finding = "qr_single_segment"    // readable, but no issuer may print it so
)
