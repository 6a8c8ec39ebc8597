package apiv1

import "time"

// ---- certificates

// IssueCertificate asks for a certificate for oneself or for a child of the household.
type IssueCertificate struct {
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"16" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
	Body           struct {
		Person string `json:"person" minLength:"30" maxLength:"30" doc:"a Person.id"`
		Use    string `json:"use" enum:"domestic,overseas" doc:"domestic carries the kanji name, overseas the Latin one"`
		// MRZ is kept nowhere but inside the document that states the passport's number.
		MRZ []string `json:"mrz,omitempty" minItems:"2" maxItems:"2" doc:"overseas: the two lines at the foot of the passport's page, 44 characters each; without them there is no rendering for borders"`
	}
}

// OneCertificate answers with one certificate.
type OneCertificate struct {
	CacheControl string `header:"Cache-Control"`
	Body         Certificate
}

// Certificate is one issued certificate, ready to be kept and shown without a network. The
// fields format, qr_text, qr_png and file are those of its SMART Health Card, which is
// the first of the renderings too.
type Certificate struct {
	ID         string    `json:"id" doc:"crt_…"`
	Reference  string    `json:"reference,omitempty" doc:"read it to the counter; absent on certificates from before there were references"`
	Person     string    `json:"person"`
	PersonName string    `json:"person_name"`
	BirthDate  string    `json:"birth_date" format:"date"`
	Format     string    `json:"format" enum:"shc"`
	Use        string    `json:"use" enum:"domestic,overseas"`
	IssuedAt   time.Time `json:"issued_at"`
	Issuer     string    `json:"issuer"`
	Doses      []Dose    `json:"doses"`
	QRText     string    `json:"qr_text" doc:"shc:/…"`
	QRPNG      []byte    `json:"qr_png" doc:"the QR code with its quiet zone, PNG"`
	File       string    `json:"file" doc:"the content of a .smart-health-card file"`
	// Renderings are all the forms that it was issued in, the one for most readers first.
	Renderings []Rendering `json:"renderings" doc:"the same record in every format that can carry it"`
	LeftOut    []LeftOut   `json:"left_out" doc:"the formats that cannot carry the record, and why"`
	// Superseded: a newer record exists; ask for a new certificate.
	Superseded bool `json:"superseded"`
	// RevokedAt: readers with a list from then on refuse it; do not show it any more.
	RevokedAt  *time.Time `json:"revoked_at,omitempty" doc:"absent while it is good"`
	RevokedFor string     `json:"revoked_for,omitempty" enum:"correction,request,key" doc:"correction: a record was corrected, issue anew; request: the office took it back; key: its key was given up, issue anew"`
}

// Rendering is a certificate in one format.
type Rendering struct {
	Format   string `json:"format" enum:"shc,hcert,vdsnc"`
	Title    string `json:"title" doc:"the format's name, for people who ask for it"`
	QRText   string `json:"qr_text"`
	QRPNG    []byte `json:"qr_png" doc:"the QR code with its quiet zone, PNG"`
	File     string `json:"file,omitempty" doc:"the content of a file to save, where the format has one"`
	FileName string `json:"file_name,omitempty"`
	// Specimen: it shows what one looks like, and proves nothing.
	Specimen bool   `json:"specimen" doc:"not signed by a key that anybody trusts: mark it as a specimen"`
	Where    string `json:"where" enum:"domestic,overseas_clinic,border,eu_who" doc:"where it is shown: in Japan; at a clinic or school abroad; at a border; in Europe and where the World Health Organization's network is read"`
	// Doses is how many of the certificate's doses this format states.
	Doses int `json:"doses"`
}

// LeftOut is a format that cannot carry the record.
type LeftOut struct {
	Format string `json:"format" enum:"hcert,vdsnc"`
	Title  string `json:"title"`
	Why    string `json:"why" enum:"no_passport,no_code,too_large,no_signer,no_name" doc:"no_passport: ask again with the passport's lines; no_code: a product has no code there; too_large: it does not fit one QR code; no_signer: nobody may sign it now; no_name: the name cannot be written in it"`
}

// Dose is one vaccination as the certificate states it.
type Dose struct {
	Number  int    `json:"number"`
	Product string `json:"product"`
	On      string `json:"on" format:"date"`
	Lot     string `json:"lot"`
}

// ListCertificates lists the certificates of the caller's people.
type ListCertificates struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"128"`
}

// Certificates is the list, newest first. At most 200.
type Certificates struct {
	Status       int    `json:"-"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Certificates []Certificate `json:"certificates"`
	}
}

// ---- corrections

// RequestCorrection asks the office to look at a vaccination record again. The same call
// under the same key, also at once, asks once.
type RequestCorrection struct {
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"16" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
	Body           struct {
		Person      string `json:"person" minLength:"30" maxLength:"30" doc:"a Person.id"`
		Kind        string `json:"kind" enum:"missing,wrong,name" doc:"missing: a vaccination is not there; wrong: one is there and is wrong; name: the passport's name or birth date is another, as after a marriage"`
		Certificate string `json:"certificate,omitempty" maxLength:"30" doc:"a Certificate.id, where it is about one"`
		Dose        int    `json:"dose,omitempty" minimum:"1" maximum:"20" doc:"the number of the dose, where it is about one"`
		Words       string `json:"words" minLength:"1" maxLength:"1000" doc:"what is wrong, in the caller's own words; a My Number is refused"`
	}
}

// OneCorrection answers with one correction.
type OneCorrection struct {
	CacheControl string `header:"Cache-Control"`
	Body         Correction
}

// Correction is what somebody asked for, and what came of it.
type Correction struct {
	Reference string `json:"reference" doc:"read it to the counter: letters and digits that cannot be mistaken, the last one checks the others"`
	Person    string `json:"person"`
	Kind      string `json:"kind" enum:"missing,wrong,name"`
	// Certificate and Dose are as asked.
	Certificate string     `json:"certificate,omitempty"`
	Dose        int        `json:"dose,omitempty"`
	Words       string     `json:"words"`
	State       string     `json:"state" enum:"open,corrected,nothing_to_correct"`
	AskedAt     time.Time  `json:"asked_at"`
	Answer      string     `json:"answer,omitempty" doc:"the office's words, Japanese"`
	AnsweredAt  *time.Time `json:"answered_at,omitempty"`
	Counter     Counter    `json:"counter" doc:"who looks into it"`
}

// ListCorrection lists the corrections that the caller asked for.
type ListCorrection struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"128"`
}

// Corrections is the list, newest first. At most 100.
type Corrections struct {
	Status       int    `json:"-"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Corrections []Correction `json:"corrections"`
	}
}
