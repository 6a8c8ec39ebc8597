package door

import (
	"net/http"

	"madoguchi.example/agent/internal/operator"
)

// operatorsPage lists the operators. Only a lead may change them, so only a lead sees it.
func (e *entrance) operatorsPage(w http.ResponseWriter, r *http.Request) {
	v := e.view(r, "operators")
	if !From(r.Context()).Operator.Lead {
		v.Page, v.Fault = "lead-only", "not_lead"
		e.show(w, r, http.StatusForbidden, v)
		return
	}
	e.show(w, r, http.StatusOK, v)
}

// nameAgain gives a name back to its form, unless it is one that is not to be kept.
func nameAgain(r *http.Request, word string) string {
	if word == operator.NameMyNumber {
		return ""
	}
	return r.PostFormValue("name")
}

func (e *entrance) changeOperators(w http.ResponseWriter, r *http.Request) {
	by, id, ctx := From(r.Context()).Operator.ID, r.PostFormValue("operator"), r.Context()
	var err error
	switch r.PostFormValue("do") {
	case "add":
		_, err = e.c.Operators.Add(ctx, by, r.PostFormValue("name"))
	case "remove":
		err = e.c.Operators.Remove(ctx, by, id)
	case "reset":
		err = e.c.Operators.Reset(ctx, by, id)
	case "lead":
		err = e.c.Operators.SetLead(ctx, by, id, true)
	case "no_lead":
		err = e.c.Operators.SetLead(ctx, by, id, false)
	default:
		http.Error(w, "there is no such act", http.StatusBadRequest)
		return
	}
	if err == nil {
		e.signOut(ctx, r.PostFormValue("do"), id)
		e.c.Log.Info("the operators were changed", "by", by, "operator", id)
		http.Redirect(w, r, "/operators", http.StatusSeeOther)
		return
	}
	status, word := told(err)
	if word == "" {
		e.refuse(w, r, err)
		return
	}
	v := e.view(r, "operators")
	v.Fault, v.Name = word, nameAgain(r, word)
	e.show(w, r, status, v)
}

// devicesPage shows the other PCs: those that wait to be let in and those that are in. A
// lead lets them in from this terminal alone.
func (e *entrance) devicesPage(w http.ResponseWriter, r *http.Request) {
	v := e.view(r, "devices")
	switch {
	case !From(r.Context()).Operator.Lead:
		v.Page, v.Fault = "lead-only", "not_lead"
		e.show(w, r, http.StatusForbidden, v)
	case r.Header.Get("HX-Request") == "true":
		e.part(w, r, http.StatusOK, "devices-list", v)
	default:
		e.show(w, r, http.StatusOK, v)
	}
}

func (e *entrance) changeDevices(w http.ResponseWriter, r *http.Request) {
	o := From(r.Context()).Operator
	if !o.Lead {
		e.devicesPage(w, r)
		return
	}
	var err error
	switch id := r.PostFormValue("device"); r.PostFormValue("do") {
	case "accept":
		err = e.accept(r.Context(), id, r.PostFormValue("code"), o.ID)
	case "reject":
		e.reject(id)
	case "revoke":
		err = e.Revoke(r.Context(), id)
	default:
		http.Error(w, "there is no such act", http.StatusBadRequest)
		return
	}
	if err == nil {
		http.Redirect(w, r, "/devices", http.StatusSeeOther)
		return
	}
	status, word := told(err)
	if word == "" {
		e.refuse(w, r, err)
		return
	}
	v := e.view(r, "devices")
	v.Fault = word
	e.show(w, r, status, v)
}
