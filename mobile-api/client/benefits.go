package client

import (
	"context"
	"net/http"

	"madoguchi.example/mobile-api/apiv1"
)

// Benefits lists the benefits that are paid to the caller, newest decision first.
func (c *Client) Benefits(ctx context.Context) ([]apiv1.Benefit, error) {
	list, _, _, err := c.BenefitsIfChanged(ctx, "")
	return list, err
}

// BenefitsIfChanged lists the benefits unless they are those that etag names; then changed
// is false and the list nil. An empty etag always lists.
func (c *Client) BenefitsIfChanged(ctx context.Context, etag string) (list []apiv1.Benefit, now string, changed bool, err error) {
	var out struct {
		Benefits []apiv1.Benefit `json:"benefits"`
	}
	now, changed, err = c.list(ctx, apiv1.ListBenefit.Path, etag, &out)
	return out.Benefits, now, changed, err
}

// Benefit gives one benefit.
func (c *Client) Benefit(ctx context.Context, id string) (apiv1.Benefit, error) {
	var out apiv1.Benefit
	_, err := c.do(ctx, call{method: http.MethodGet, path: fill(apiv1.GetBenefit.Path, id)}, &out)
	return out, err
}

// RefuseBenefit says that the caller does not want the payment. An empty key is filled from
// the client's random source; whoever repeats a call whose answer was lost passes the same.
func (c *Client) RefuseBenefit(ctx context.Context, id, key string) (apiv1.Benefit, error) {
	var out apiv1.Benefit
	err := c.under(ctx, key, call{method: http.MethodPost, path: fill(apiv1.Refuse.Path, id)}, &out)
	return out, err
}

// Offers lists the offers of support made to the caller, newest first.
func (c *Client) Offers(ctx context.Context) ([]apiv1.Offer, error) {
	list, _, _, err := c.OffersIfChanged(ctx, "")
	return list, err
}

// OffersIfChanged lists the offers unless they are those that etag names; then changed is
// false and the list nil. An empty etag always lists.
func (c *Client) OffersIfChanged(ctx context.Context, etag string) (list []apiv1.Offer, now string, changed bool, err error) {
	var out struct {
		Offers []apiv1.Offer `json:"offers"`
	}
	now, changed, err = c.list(ctx, apiv1.ListOffer.Path, etag, &out)
	return out.Offers, now, changed, err
}

// Offer gives one offer.
func (c *Client) Offer(ctx context.Context, id string) (apiv1.Offer, error) {
	var out apiv1.Offer
	_, err := c.do(ctx, call{method: http.MethodGet, path: fill(apiv1.GetOffer.Path, id)}, &out)
	return out, err
}

// AnswerOffer answers an offer with "accepted" or "declined". It may be repeated, and
// changed until the offer is closed.
func (c *Client) AnswerOffer(ctx context.Context, id, answer string) (apiv1.Offer, error) {
	var out apiv1.Offer
	in := apiv1.AnswerOffer{}
	in.Body.Answer = answer
	_, err := c.do(ctx, call{method: http.MethodPut, path: fill(apiv1.Answer.Path, id), body: in.Body}, &out)
	return out, err
}

// list asks for a list unless it is the one that etag names.
func (c *Client) list(ctx context.Context, path, etag string, out any) (now string, changed bool, err error) {
	k := call{method: http.MethodGet, path: path}
	if etag != "" {
		k.header = map[string]string{"If-None-Match": etag}
	}
	a, err := c.do(ctx, k, out)
	if err != nil {
		return "", false, err
	}
	return a.header.Get("ETag"), a.status != http.StatusNotModified, nil
}
