package vdsnc

import "strings"

// specimenCountry is Utopia, under which Doc 9303 shows what a document looks like.
const specimenCountry = "UTO"

// countries holds ISO 3166-1 as three letters and two, and behind it those codes of
// Doc 9303-3 section 5 that are no country's, as far as an authority signs under them.
const countries = "" +
	"ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG " +
	"AUSAU AUTAT AZEAZ BDIBI BELBE BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL " +
	"BLRBY BLZBZ BMUBM BOLBO BRABR BRBBB BRNBN BTNBT BVTBV BWABW CAFCF CANCA CCKCC CHECH " +
	"CHLCL CHNCN CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX " +
	"CYMKY CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES " +
	"ESTEE ETHET FINFI FJIFJ FLKFK FRAFR FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI " +
	"GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL GTMGT GUFGF GUMGU GUYGY HKGHK HMDHM " +
	"HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT " +
	"JAMJM JEYJE JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB " +
	"LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD " +
	"MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ MRTMR MSRMS " +
	"MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI NIUNU NLDNL NORNO " +
	"NPLNP NRUNR NZLNZ OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL PRIPR PRKKP " +
	"PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU RWARW SAUSA SDNSD SENSN SGPSG SGSGS " +
	"SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK SVNSI " +
	"SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO " +
	"TTOTT TUNTN TURTR TUVTV TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC " +
	"VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA ZMBZM ZWEZW " +
	"D  DE RKSKS XKXXK EUEEU UNOUN UNAUN "

// countryRow is the length of a row: three letters, two, and a blank.
const countryRow = 6

// alpha2 gives the two letters of an issuing state's code.
func alpha2(alpha3 string) (string, bool) {
	if len(alpha3) == 0 || len(alpha3) > 3 {
		return "", false
	}
	wanted := strings.TrimRight(alpha3, "<")
	for row := countries; row != ""; row = row[countryRow:] {
		if row[:len(wanted)] == wanted && strings.TrimRight(row[:3], " ") == wanted {
			return row[3:5], true
		}
	}
	return "", false
}

// sameCountry tells whether an authority of country (from its certificate's name) signs for
// the state that a document names. Certificates have two letters (Doc 9303-12 table 5), some
// three. Utopia is nobody's: its documents are specimens, whoever signs them.
func sameCountry(state, country string) bool {
	if state == specimenCountry || (state != "" && strings.EqualFold(state, country)) {
		return true
	}
	two, known := alpha2(state)
	return known && strings.EqualFold(two, country)
}
