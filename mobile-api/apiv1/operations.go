package apiv1

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Bearer is the security scheme of everything a signed-in citizen does.
const Bearer = "bearer"

func op(id, method, path, summary string, more ...func(*huma.Operation)) huma.Operation {
	o := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		Security:                     []map[string][]string{{Bearer: {}}},
		MaxBodyBytes:                 64 << 10,
		BodyReadTimeout:              -1, // the server's own ReadTimeout counts
		RejectUnknownQueryParameters: true,
	}
	for _, m := range more {
		m(&o)
	}
	return o
}

func public(o *huma.Operation)    { o.Security = []map[string][]string{} }
func created(o *huma.Operation)   { o.DefaultStatus = http.StatusCreated }
func noContent(o *huma.Operation) { o.DefaultStatus = http.StatusNoContent }

// Empty is an output without a body.
type Empty struct{}

// ---- signing in

// SignInStart begins the OpenID Connect code flow. The app keeps a random secret in its
// session storage and sends only its SHA-256; the same secret ends the flow.
type SignInStart struct {
	Body struct {
		Binding  string `json:"binding" minLength:"43" maxLength:"43" pattern:"^[A-Za-z0-9_-]{43}$" doc:"base64url(SHA-256(secret))"`
		Language string `json:"language" enum:"ja,ja-easy,en"`
	}
}

// SignInStarted holds where to send the browser.
type SignInStarted struct {
	Body struct {
		AuthorizationURL string `json:"authorization_url"`
	}
}

// SignInFinish hands over what the provider sent back to the app's page /app/sign-in.
type SignInFinish struct {
	Body struct {
		Code   string `json:"code" minLength:"1" maxLength:"2048"`
		State  string `json:"state" minLength:"1" maxLength:"512"`
		Secret string `json:"secret" minLength:"43" maxLength:"86" doc:"the secret whose SHA-256 was sent as binding"`
	}
}

// Tokens answers a finished sign-in and a refresh.
type Tokens struct {
	CacheControl string `header:"Cache-Control"`
	Body         TokenPair
}

// TokenPair is an access token (JWT, typ at+jwt, ES256) and the refresh token that
// replaces it. A refresh token works once; within two minutes it may come again when the
// answer was lost, which voids the one that was not seen. Any other reuse ends the session.
type TokenPair struct {
	TokenType    string `json:"token_type" enum:"Bearer"`
	AccessToken  string `json:"access_token"`
	ExpiresIn    int    `json:"expires_in" doc:"seconds"`
	RefreshToken string `json:"refresh_token"`
}

// Refresh asks for a new pair.
type Refresh struct {
	Body struct {
		RefreshToken string `json:"refresh_token" minLength:"20" maxLength:"200"`
	}
}

// Nothing is an input without fields.
type Nothing struct{}

// ---- me

// Me is the person and the household members they may act for.
type Me struct {
	Body struct {
		Municipality string   `json:"municipality"`
		Counter      Counter  `json:"counter"`
		People       []Person `json:"people" doc:"the caller first, then the children of the household"`
	}
}

// Person is someone whose things the caller may see and do.
type Person struct {
	ID        string `json:"id" doc:"ctz_…"`
	Relation  string `json:"relation" enum:"self,child"`
	Name      string `json:"name" doc:"kanji"`
	NameKana  string `json:"name_kana"`
	NameLatin string `json:"name_latin"`
	BirthDate string `json:"birth_date" format:"date"`
}

// ---- notices

// ListNotices lists the caller's notices, newest first.
type ListNotices struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"128"`
	Cursor      string `query:"cursor" maxLength:"512"`
	Limit       int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

// Notices is one page.
type Notices struct {
	Status       int    `json:"-"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Notices []Notice `json:"notices"`
		Next    string   `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

// Notice is one notice with its words in the languages it was written in.
type Notice struct {
	ID       string     `json:"id" doc:"ntc_…"`
	Number   string     `json:"number" doc:"the number printed on letters, to check that a notice is real"`
	Kind     string     `json:"kind" enum:"information,action"`
	From     string     `json:"from" doc:"the office"`
	Phone    string     `json:"phone"`
	SentAt   time.Time  `json:"sent_at"`
	Deadline string     `json:"deadline,omitempty" format:"date"`
	ReadAt   *time.Time `json:"read_at,omitempty"`
	Texts    []Text     `json:"texts" doc:"Japanese first"`
	About    *About     `json:"about,omitempty" doc:"what the notice is about, where the app can show more than it says"`
}

// About names what a notice is about.
type About struct {
	Kind string `json:"kind" enum:"benefit,offer,certificate,correction"`
	ID   string `json:"id" doc:"a Benefit.id, an Offer.id, a Certificate.id, or a Correction.reference"`
}

// Text is a notice's words in one language.
type Text struct {
	Language string `json:"language" enum:"ja,ja-easy,en"`
	Title    string `json:"title"`
	Body     string `json:"body"`
}

// ByNotice names one notice.
type ByNotice struct {
	ID string `path:"id" minLength:"30" maxLength:"30"`
}

// OneNotice answers with one notice.
type OneNotice struct {
	CacheControl string `header:"Cache-Control"`
	Body         Notice
}

// ByPush names a notice by the opaque handle that a push carried.
type ByPush struct {
	Handle string `path:"handle" minLength:"30" maxLength:"30"`
}

// ---- devices

// RegisterDevice tells where pushes for this app go. The device id is made by the app.
type RegisterDevice struct {
	Device string `path:"device" minLength:"22" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
	Body   struct {
		Transport string `json:"transport" enum:"fcm"`
		Token     string `json:"token" minLength:"8" maxLength:"4096"`
		Language  string `json:"language" enum:"ja,ja-easy,en"`
	}
}

// ByDevice names one device.
type ByDevice struct {
	Device string `path:"device" minLength:"22" maxLength:"64" pattern:"^[A-Za-z0-9_-]+$"`
}

// ---- who looked

// ListAccess lists who looked at the caller's data, as far as the purpose allows, newest first.
type ListAccess struct {
	Cursor string `query:"cursor" maxLength:"512"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

// AccessLog is one page.
type AccessLog struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Entries []Access `json:"entries"`
		Next    string   `json:"next,omitempty"`
	}
}

// Access is one time that somebody looked at or changed the caller's data.
type Access struct {
	At      time.Time `json:"at"`
	Who     string    `json:"who" doc:"the office, or 'you'"`
	Purpose string    `json:"purpose" doc:"a key of the purpose register"`
	Action  string    `json:"action"`
	Items   []string  `json:"items"`
}

// The operations.
var (
	StartSignIn  = Op[SignInStart, SignInStarted]{op("startSignIn", http.MethodPost, "/v1/sign-in/start", "Begin to sign in", public)}
	FinishSignIn = Op[SignInFinish, Tokens]{op("finishSignIn", http.MethodPost, "/v1/sign-in/finish", "Finish signing in", public)}
	RefreshToken = Op[Refresh, Tokens]{op("refreshToken", http.MethodPost, "/v1/sign-in/refresh", "Replace the access token", public)}
	SignOut      = Op[Nothing, Empty]{op("signOut", http.MethodPost, "/v1/sign-out", "End this session", noContent)}

	GetMe = Op[Nothing, Me]{op("getMe", http.MethodGet, "/v1/me", "Me and the people I act for")}

	IssueCert = Op[IssueCertificate, OneCertificate]{op("issueCertificate", http.MethodPost, "/v1/certificates", "Ask for a vaccination certificate", created)}
	ListCerts = Op[ListCertificates, Certificates]{op("listCertificates", http.MethodGet, "/v1/certificates", "My people's certificates")}

	OfferToWallet = Op[OfferWallet, OneWalletOffer]{op("offerToWallet", http.MethodPost, "/v1/certificates/{id}/wallet-offer", "Offer a certificate to a wallet", created)}

	AskCorrection   = Op[RequestCorrection, OneCorrection]{op("askCorrection", http.MethodPost, "/v1/corrections", "Ask for a correction of a vaccination record", created)}
	ListCorrections = Op[ListCorrection, Corrections]{op("listCorrections", http.MethodGet, "/v1/corrections", "The corrections I asked for")}

	ListNotice  = Op[ListNotices, Notices]{op("listNotices", http.MethodGet, "/v1/notices", "My notices")}
	GetNotice   = Op[ByNotice, OneNotice]{op("getNotice", http.MethodGet, "/v1/notices/{id}", "One notice")}
	ReadNotice  = Op[ByNotice, Empty]{op("readNotice", http.MethodPost, "/v1/notices/{id}/read", "Tell that I opened the notice", noContent)}
	ResolvePush = Op[ByPush, OneNotice]{op("resolvePush", http.MethodGet, "/v1/pushes/{handle}", "The notice that a push announced")}

	ListBenefit = Op[ListBenefits, Benefits]{op("listBenefits", http.MethodGet, "/v1/benefits", "Benefits paid to me")}
	GetBenefit  = Op[ByBenefit, OneBenefit]{op("getBenefit", http.MethodGet, "/v1/benefits/{id}", "One benefit, with its reasons")}
	Refuse      = Op[RefuseBenefit, OneBenefit]{op("refuseBenefit", http.MethodPost, "/v1/benefits/{id}/refusal", "Say that I do not want the payment")}

	ListOffer = Op[ListOffers, Offers]{op("listOffers", http.MethodGet, "/v1/offers", "Support that is offered to me")}
	GetOffer  = Op[ByOffer, OneOffer]{op("getOffer", http.MethodGet, "/v1/offers/{id}", "One offer of support")}
	Answer    = Op[AnswerOffer, OneOffer]{op("answerOffer", http.MethodPut, "/v1/offers/{id}/answer", "Say yes or no to an offer")}

	PutDevice    = Op[RegisterDevice, Empty]{op("registerDevice", http.MethodPut, "/v1/devices/{device}", "Where to send pushes", noContent)}
	DeleteDevice = Op[ByDevice, Empty]{op("deleteDevice", http.MethodDelete, "/v1/devices/{device}", "Send no more pushes here", noContent)}

	ListAccesses = Op[ListAccess, AccessLog]{op("listAccesses", http.MethodGet, "/v1/access-log", "Who looked at my data")}
)
