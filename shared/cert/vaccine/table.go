package vaccine

// Codes that many rows share.
const (
	covidICD11  = "RA01.0"
	covidSNOMED = "840539006"
	icdMRNA     = "XM0GQ8"
	icdVector   = "XM9QW8"
	icdSubunit  = "XM5JC5"
	icdPCV      = "XM96S7"
	icdPolio    = "XM5V19"
	icdFlu      = "XM8MP2"
	icdRabies   = "XM7BE8"
	euMRNA      = "1119349007"
	euVector    = "29061000087103"
	euSubunit   = "1162643001"
	seasonalFlu = "1E30"
	rabiesICD   = "1C82"
	zosterICD   = "1E91"
	encephICD   = "1C85"
	encephXM    = "XM0LB5"
	encephSCT   = "52947006"
	fluSCT      = "6142004"
	hepBICD     = "1E50.1"
	hepBXM      = "XM9V38"
	hepBSCT     = "66071002"
	pneumoSCT   = "16814004"
	hibSCT      = "709410003"
	hpvSCT      = "240532009"
	rotaICD     = "1A22"
	rotaSCT     = "18624000"
	zosterSCT   = "4740000"
	polioSCT    = "398102009"
	polioICD    = "1C81"
)

func comirnaty(cvx, ja, en string) Product {
	return Product{
		CVX: cvx, Name: "COMIRNATY", Manufacturer: "PFR", ICD11Vaccine: icdMRNA,
		ICD11Disease: covidICD11, DiseaseSNOMED: covidSNOMED,
		EUVaccine: euMRNA, EUProduct: "EU/1/20/1528", EUHolder: "ORG-100030215",
		Series: 2, Names: Names{ja, en},
	}
}

func spikevax(cvx, ja, en string) Product {
	return Product{
		CVX: cvx, Name: "SPIKEVAX", Manufacturer: "MOD", ICD11Vaccine: icdMRNA,
		ICD11Disease: covidICD11, DiseaseSNOMED: covidSNOMED,
		EUVaccine: euMRNA, EUProduct: "EU/1/20/1507", EUHolder: "ORG-100031184",
		Series: 2, Names: Names{ja, en},
	}
}

func nuvaxovid(cvx, ja, en string) Product {
	return Product{
		CVX: cvx, Name: "NUVAXOVID", Manufacturer: "NVX", ICD11Vaccine: icdSubunit,
		ICD11Disease: covidICD11, DiseaseSNOMED: covidSNOMED,
		EUVaccine: euSubunit, EUProduct: "EU/1/21/1618", EUHolder: "ORG-100032020",
		Series: 2, Names: Names{ja, en},
	}
}

// routine is a vaccine against one disease, of any maker.
func routine(cvx, ja, en, icdVaccine, icdDisease, snomed string, series int) Product {
	return Product{
		CVX: cvx, Name: en, ICD11Vaccine: icdVaccine, ICD11Disease: icdDisease, DiseaseSNOMED: snomed,
		Series: series, Names: Names{ja, en},
	}
}

// combined is a vaccine against several diseases, of any maker.
func combined(cvx, ja, en, icdVaccine string, series int) Product {
	return routine(cvx, ja, en, icdVaccine, "", "", series)
}

// table holds the vaccines that Japan gave against COVID-19 and gives as a routine or for
// travel. Of several rows with one EU product the first approved stands first. The series of
// a routine vaccine is that of Japan's schedule.
var table = []Product{
	comirnaty("208", "コミナティ筋注", "Comirnaty"),
	comirnaty("217", "コミナティ筋注（希釈不要）", "Comirnaty, ready to use"),
	comirnaty("218", "コミナティ筋注 5～11歳用", "Comirnaty for ages 5 to 11"),
	comirnaty("219", "コミナティ筋注 6か月～4歳用", "Comirnaty for ages 6 months to 4 years"),
	comirnaty("300", "コミナティRTU筋注（2価）", "Comirnaty, bivalent"),
	comirnaty("301", "コミナティ筋注 5～11歳用（2価）", "Comirnaty for ages 5 to 11, bivalent"),
	comirnaty("302", "コミナティ筋注 6か月～4歳用（2価）", "Comirnaty for ages 6 months to 4 years, bivalent"),
	comirnaty("308", "コミナティ筋注 6か月～4歳用（1価・2023年以降）", "Comirnaty for ages 6 months to 4 years, 2023 strain or later"),
	comirnaty("309", "コミナティ筋注 12歳以上用（1価・2023年以降）", "Comirnaty for ages 12 and over, 2023 strain or later"),
	comirnaty("310", "コミナティ筋注 5～11歳用（1価・2023年以降）", "Comirnaty for ages 5 to 11, 2023 strain or later"),
	spikevax("207", "スパイクバックス筋注", "Spikevax"),
	spikevax("221", "スパイクバックス筋注 50µg", "Spikevax, 50 µg"),
	spikevax("228", "スパイクバックス筋注 小児用", "Spikevax for children"),
	spikevax("229", "スパイクバックス筋注（2価）", "Spikevax, bivalent"),
	spikevax("230", "スパイクバックス筋注 6か月～5歳用（2価）", "Spikevax for ages 6 months to 5 years, bivalent"),
	spikevax("311", "スパイクバックス筋注 小児用（1価・2023年以降）", "Spikevax for children, 2023 strain or later"),
	spikevax("312", "スパイクバックス筋注 12歳以上用（1価・2023年以降）", "Spikevax for ages 12 and over, 2023 strain or later"),
	{
		CVX: "210", Name: "VAXZEVRIA", Manufacturer: "ASZ", ICD11Vaccine: icdVector,
		ICD11Disease: covidICD11, DiseaseSNOMED: covidSNOMED,
		EUVaccine: euVector, EUProduct: "EU/1/21/1529", EUHolder: "ORG-100001699",
		Series: 2, Names: Names{"バキスゼブリア筋注", "Vaxzevria"},
	},
	nuvaxovid("211", "ヌバキソビッド筋注", "Nuvaxovid"),
	nuvaxovid("313", "ヌバキソビッド筋注（1価・2023年以降）", "Nuvaxovid, 2023 strain or later"),
	{
		CVX: "212", Name: "JCOVDEN", Manufacturer: "JSN", ICD11Vaccine: icdVector,
		ICD11Disease: covidICD11, DiseaseSNOMED: covidSNOMED,
		EUVaccine: euVector, EUProduct: "EU/1/20/1525", EUHolder: "ORG-100001417",
		Series: 1, Names: Names{"ジェコビデン筋注", "Jcovden"},
	},
	routine("213", "新型コロナワクチン（製品不明）", "COVID-19 vaccine, product not stated", "XM68M6", covidICD11, covidSNOMED, 0),

	combined("03", "麻しん・おたふくかぜ・風しん混合ワクチン", "Measles, mumps and rubella vaccine", "XM8TF3", 2),
	combined("04", "麻しん風しん混合（MR）ワクチン", "Measles and rubella vaccine", "XM21H2", 2),
	routine("05", "麻しんワクチン", "Measles vaccine", "XM8L15", "1F03", "14189004", 2),
	routine("06", "風しんワクチン", "Rubella vaccine", "XM9PS9", "1F02", "36653000", 2),
	routine("07", "おたふくかぜワクチン", "Mumps vaccine", "XM2340", "1D80", "36989005", 2),
	routine("08", "B型肝炎ワクチン（小児）", "Hepatitis B vaccine for children", hepBXM, hepBICD, hepBSCT, 3),
	routine("43", "B型肝炎ワクチン（成人）", "Hepatitis B vaccine for adults", hepBXM, hepBICD, hepBSCT, 3),
	routine("45", "B型肝炎ワクチン", "Hepatitis B vaccine", hepBXM, hepBICD, hepBSCT, 3),
	routine("10", "不活化ポリオワクチン", "Inactivated poliovirus vaccine", icdPolio, polioICD, polioSCT, 4),
	routine("17", "ヒブワクチン", "Hib vaccine", "XM6RG9", "", hibSCT, 4),
	routine("48", "ヒブワクチン（破傷風トキソイド結合体）", "Hib vaccine, tetanus toxoid conjugate", "XM6RG9", "", hibSCT, 4),
	routine("19", "BCGワクチン", "BCG vaccine", "XM8142", "1B1Z", "56717001", 1),
	combined("20", "ジフテリア・百日せき・破傷風混合（DPT）ワクチン", "Diphtheria, tetanus and acellular pertussis vaccine", "XM4082", 4),
	combined("28", "ジフテリア・破傷風混合（DT）トキソイド", "Diphtheria and tetanus toxoids", "XM1G86", 1),
	combined("120", "五種混合（DPT-IPV-Hib）ワクチン", "Diphtheria, tetanus, acellular pertussis, inactivated poliovirus and Hib vaccine", "XM21E6", 4),
	combined("170", "五種混合（DPT-IPV-Hib）ワクチン", "Diphtheria, tetanus, acellular pertussis, inactivated poliovirus and Hib vaccine", "XM21E6", 4),
	combined("130", "四種混合（DPT-IPV）ワクチン", "Diphtheria, tetanus, acellular pertussis and inactivated poliovirus vaccine", "XM9JP8", 4),
	routine("21", "水痘ワクチン", "Varicella vaccine", "XM0NS8", "1E90", "38907003", 2),
	routine("39", "日本脳炎ワクチン（皮下注）", "Japanese encephalitis vaccine, subcutaneous", encephXM, encephICD, encephSCT, 4),
	routine("129", "日本脳炎ワクチン", "Japanese encephalitis vaccine", encephXM, encephICD, encephSCT, 4),
	routine("134", "日本脳炎ワクチン（筋注）", "Japanese encephalitis vaccine, intramuscular", encephXM, encephICD, encephSCT, 2),
	routine("33", "肺炎球菌ワクチン（23価）", "Pneumococcal polysaccharide vaccine, 23-valent", "XM2249", "", pneumoSCT, 1),
	routine("133", "肺炎球菌ワクチン（13価結合型）", "Pneumococcal conjugate vaccine, 13-valent", "XM9G97", "", pneumoSCT, 4),
	routine("215", "肺炎球菌ワクチン（15価結合型）", "Pneumococcal conjugate vaccine, 15-valent", icdPCV, "", pneumoSCT, 4),
	routine("216", "肺炎球菌ワクチン（20価結合型）", "Pneumococcal conjugate vaccine, 20-valent", icdPCV, "", pneumoSCT, 4),
	routine("116", "ロタウイルスワクチン（5価）", "Rotavirus vaccine, pentavalent", "XM4VG1", rotaICD, rotaSCT, 3),
	routine("119", "ロタウイルスワクチン（1価）", "Rotavirus vaccine, monovalent", "XM4GV0", rotaICD, rotaSCT, 2),
	routine("62", "HPVワクチン（4価）", "Human papillomavirus vaccine, quadrivalent", "XM1821", "", hpvSCT, 3),
	routine("118", "HPVワクチン（2価）", "Human papillomavirus vaccine, bivalent", "XM9BT4", "", hpvSCT, 3),
	routine("165", "HPVワクチン（9価）", "Human papillomavirus vaccine, 9-valent", "XM5CE9", "", hpvSCT, 0),
	routine("88", "インフルエンザワクチン", "Influenza vaccine", "XM1LR5", seasonalFlu, fluSCT, 0),
	routine("111", "経鼻弱毒生インフルエンザワクチン", "Influenza vaccine, live, intranasal", "XM5V64", seasonalFlu, fluSCT, 0),
	routine("135", "高用量インフルエンザワクチン", "Influenza vaccine, high dose", icdFlu, seasonalFlu, fluSCT, 1),
	routine("141", "インフルエンザHAワクチン（3価）", "Influenza vaccine, injectable, trivalent", icdFlu, seasonalFlu, fluSCT, 0),
	routine("158", "インフルエンザHAワクチン（4価）", "Influenza vaccine, injectable, quadrivalent", icdFlu, seasonalFlu, fluSCT, 0),
	routine("121", "帯状疱疹生ワクチン", "Zoster vaccine, live", "XM1SS1", zosterICD, zosterSCT, 1),
	routine("187", "帯状疱疹ワクチン（組換え）", "Zoster vaccine, recombinant", "XM8DG3", zosterICD, zosterSCT, 2),
	routine("18", "狂犬病ワクチン", "Rabies vaccine", icdRabies, rabiesICD, "14168008", 0),
	routine("37", "黄熱ワクチン", "Yellow fever vaccine", "XM3418", "1D47", "16541001", 1),
	routine("52", "A型肝炎ワクチン（成人）", "Hepatitis A vaccine for adults", "XM2A12", "1E50.0", "40468003", 3),
	routine("136", "髄膜炎菌ワクチン（4価結合型）", "Meningococcal conjugate vaccine, ACWY", "XM2EH7", "1C1C", "23511006", 1),
	routine("305", "RSウイルスワクチン（2価）", "Respiratory syncytial virus vaccine, bivalent", "XM02Y0", "", "55735004", 1),
}
