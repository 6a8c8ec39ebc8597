package stories_test

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/chromedp/chromedp/kb"

	"madoguchi.example/deploy/practice/oqs"
)

// phrases are all that a story may say.
func phrases() []phrase {
	return slices.Concat(comings(), entries(), corrections(), troubles(), expectations())
}

// comings are how one comes in, and what is done once a day.
func comings() []phrase {
	return []phrase{
		say(`受付をひらく番号を入れ、はじめての暗証番号を決める`, func(s *story, _ []string) { s.open(true) }),
		say(`受付をひらく番号と暗証番号を入れる`, func(s *story, _ []string) { s.open(false) }),
		say(`画面がかくれたので、暗証番号でひらく`, func(s *story, _ []string) { s.unlock() }),
		say(`明日の予約を読み込み、まとめて照会する：(.+)`, func(s *story, w []string) { s.book(strings.Split(w[0], "、")) }),
		say(`接種証明書を読み取る`, func(s *story, _ []string) { s.scan() }),
		say(`画面を写真にとる：([a-z-]+)`, func(s *story, w []string) { s.photograph(w[0]) }),
	}
}

// entries are the ways to a record.
func entries() []phrase {
	return []phrase{
		say(`(\S+ \S+)さんの(資格確認書|お知らせ|マイナポータルの画面)の番号を入れて記録する`, func(s *story, w []string) {
			s.numbers(w[0], w[1], s.patient(w[0]).current())
		}),
		say(`(\S+ \S+)さんの古い(資格確認書|お知らせ)の番号を入れて記録する`, func(s *story, w []string) {
			s.numbers(w[0], w[1], s.patient(w[0]).old())
		}),
		say(`(\S+ \S+)さんの(資格確認書|お知らせ)の番号を、1けた間違えて記録する`, func(s *story, w []string) {
			c := s.patient(w[0]).current()
			last := len(c.number) - 1
			c.number = c.number[:last] + string('0'+(c.number[last]-'0'+1)%10)
			s.numbers(w[0], w[1], c)
		}),
		say(`(\S+ \S+)さんの番号を途中まで入れる`, func(s *story, w []string) { s.half(w[0]) }),
		say(`Escで保留にする`, func(s *story, _ []string) {
			s.act(kb.Escape)
			s.holds(`document.querySelector("#number").value === ""`)
		}),
		say(`保留の(\S+ \S+)さんを戻し、残りを入れて記録する`, func(s *story, w []string) { s.unpark(w[0]) }),
		say(`同じ家族の次の方、(\S+ \S+)さんを記録する`, func(s *story, w []string) { s.family(w[0]) }),
		say(`前の記録で(\S+ \S+)さんを記録する`, func(s *story, w []string) { s.past(w[0]) }),
		say(`(\S+ \S+)さんの申立書を書いて記録する`, func(s *story, w []string) { s.declare(w[0]) }),
		say(`(\S+ \S+)さんが顔認証のカードリーダーを使い、その結果で記録する`, func(s *story, w []string) {
			p := s.patient(w[0])
			s.ok(s.Face(s.t.Context(), oqs.Card{Resident: p.ref, Municipality: p.municipality}))
			s.face(w[0])
		}),
	}
}

// corrections are what is done to records.
func corrections() []phrase {
	return []phrase{
		say(`番号の間違いに気づき、(\S+ \S+)さんの記録を直す`, func(s *story, w []string) { s.amend(w[0]) }),
		say(`番号が分かったので、(\S+ \S+)さんの記録に足す`, func(s *story, w []string) { s.amend(w[0]) }),
		say(`患者さんの取り違えなので、この記録を取り消す`, func(s *story, _ []string) { s.void() }),
		say(`Ctrl\+Zで直前の記録を戻す`, func(s *story, _ []string) { s.undo() }),
		say(`番号を(\S+ \S+)さんのものに直して記録する`, func(s *story, w []string) {
			p := s.patient(w[0])
			s.fill(fields(p, p.current()))
			s.focus("evidence")
			s.record(w[0])
		}),
		say(`(\S+ \S+)さんの行をひらく`, func(s *story, w []string) { s.row(w[0]) }),
		say(`見くらべて「確認しました」を押す`, func(s *story, _ []string) {
			s.tabTo("#close-task")
			s.press(kb.Enter)
			s.display("reviewed")
		}),
	}
}

// troubles are what happens to the clinic.
func troubles() []phrase {
	return []phrase{
		say(`院内のネットワークが止まる`, func(s *story, _ []string) { s.unreachable() }),
		say(`院内のネットワークは戻るが、外への回線は切れたまま`, func(s *story, _ []string) {
			s.ok(s.Behave(s.t.Context(), oqs.Behaviour{LineCut: true}))
			s.reachable()
		}),
		say(`外への回線が戻る`, func(s *story, _ []string) {
			s.ok(s.Behave(s.t.Context(), oqs.Behaviour{}))
			s.ok(s.Line.Restore())
		}),
		say(`資格確認端末の答えが([0-9]+)秒おそくなる`, func(s *story, w []string) {
			seconds, _ := strconv.Atoi(w[0])
			s.ok(s.Behave(s.t.Context(), oqs.Behaviour{DelayMS: 1000 * seconds}))
		}),
		say(`資格確認端末が「処理中」と言ってから、Shift_JISで半分ずつ答える`, func(s *story, _ []string) {
			s.ok(s.Behave(s.t.Context(), oqs.Behaviour{InProgress: 1, HalfMS: 200, Encoding: oqs.ShiftJIS, Times: 1}))
		}),
		say(`停電で、受付の端末がいきなり止まる`, func(s *story, _ []string) {
			s.terminal.Process().Kill()
			s.window.end()
		}),
		say(`電気が戻り、端末が立ちあがる`, func(s *story, _ []string) {
			ctx, cancel := context.WithTimeout(s.t.Context(), patience)
			defer cancel()
			s.ok(s.terminal.Start(ctx))
			where := s.where
			s.window = openWindow(s.t, s.browser)
			s.where = where
			s.visit(s.terminal.Desk())
		}),
	}
}

// expectations are what is to be seen. Each begins with an arrow.
func expectations() []phrase {
	return []phrase{
		say(`→ 結果は「(.+)」`, func(s *story, w []string) { s.resultIs(w[0]) }),
		say(`→ 結果のところに「(.+)」と出る`, func(s *story, w []string) { s.sees("#result", w[0]) }),
		say(`→ 上の帯に「(.+)」と出る`, func(s *story, w []string) { s.sees("#bar", w[0]) }),
		say(`→ 一覧の(\S+ \S+)さんは「(.+)」`, func(s *story, w []string) { s.rowIs(w[0], w[1]) }),
		say(`→ まだ答えはない`, func(s *story, _ []string) {
			s.holds(`["checking", "late", "offline"].includes(document.querySelector("#case")?.dataset.display)`)
		}),
		say(`→ どこにも「(.+)」「(.+)」とは出ていない`, func(s *story, w []string) { s.never(w...) }),
		say(`→ 予約の([0-9]+)人の資格が分かっている`, func(s *story, w []string) {
			n, _ := strconv.Atoi(w[0])
			s.booked(n)
		}),
		say(`→ 証明書は本物`, func(s *story, _ []string) { s.holds(`document.querySelector("#verdict[data-outcome=valid]")`) }),
		say(`→ 保留は([0-9]+)人`, func(s *story, w []string) {
			s.holds(`document.querySelectorAll("#list .parked button").length === ` + w[0])
		}),
		say(`→ ひらく番号を聞かれずに、受付がひらく`, func(s *story, _ []string) {
			s.ready()
		}),
		say(`→ 今までの記録が、みな一覧にある`, func(s *story, _ []string) {
			for _, id := range s.recorded {
				s.holds("document.querySelector(" + quote("#row-"+id) + ")")
			}
		}),
		say(`→ みなに答えが来ている`, func(s *story, _ []string) {
			s.holds(`document.querySelectorAll("#list a.row").length > 0 && !document.querySelector("#list a.row.recorded, #list a.row.checking")`)
		}),
		say(`→ 要確認は(\S+ \S+)さんだけ`, func(s *story, w []string) {
			s.rowIs(w[0], "要確認")
			if names := s.inState("task"); len(names) != 1 {
				s.fail("要確認: %v", names)
			}
		}),
		say(`→ 今日の患者さんは([0-9]+)人`, func(s *story, w []string) {
			s.holds(`document.querySelectorAll("#list a.row:not(.voided)").length === ` + w[0])
		}),
		say(`→ センターには、どの記録もちょうど一度ずつある`, func(s *story, _ []string) {
			s.sees("#bar", "送信待ち 0件")
			s.audit()
		}),
		say(`→ 番号の入力は、おおよそ([0-9]+)打まで`, func(s *story, w []string) {
			most, _ := strconv.Atoi(w[0])
			if got := middle(s.strokes, 50); cmp.Compare(got, most) > 0 {
				s.fail("%d keys", got)
			}
		}),
	}
}
