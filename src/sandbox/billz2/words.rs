//! Words of a Tashkent shop for clothes and electronics: categories, brands, goods, services.

/// Sizes and colours an article comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variants {
    /// One article, no variants.
    One,
    /// Clothes sizes and colours.
    Clothes,
    /// Shoe sizes.
    Shoes,
    /// Colours only.
    Colours,
}

/// One kind of article: name, category (position in [`CATEGORIES`]), price from and to in thousand UZS, variants, unit.
pub struct Article {
    /// Base of the product name.
    pub name: &'static str,
    /// Position in [`CATEGORIES`].
    pub category: u16,
    /// Lowest price, thousand UZS.
    pub from: u64,
    /// Highest price, thousand UZS.
    pub to: u64,
    /// What variants it has.
    pub variants: Variants,
}

const fn article(name: &'static str, category: u16, from: u64, to: u64, variants: Variants) -> Article {
    Article { name, category, from, to, variants }
}

/// Categories with the position of their parent. Empty and repeated names exist in real accounts (sheet 4.4).
pub const CATEGORIES: &[(&str, Option<u16>)] = &[
    ("Одежда", None),
    ("Футболки", Some(0)),
    ("Рубашки", Some(0)),
    ("Джинсы и брюки", Some(0)),
    ("Верхняя одежда", Some(0)),
    ("Ayollar kiyimi", Some(0)),
    ("Ko'ylaklar", Some(5)),
    ("Обувь", None),
    ("Кроссовки", Some(7)),
    ("Сандалии", Some(7)),
    ("Электроника", None),
    ("Смартфоны", Some(10)),
    ("Наушники", Some(10)),
    ("Аксессуары", Some(10)),
    ("Бытовая техника", Some(10)),
    ("Аксессуары", Some(0)),
    ("Ткани и кабель", None),
    ("Ткани", Some(16)),
    ("Кабель", Some(16)),
    ("Xizmatlar", None),
    ("Комплекты", None),
    ("", Some(13)),
];

/// Brands; the second half makes electronics.
pub const BRANDS: &[&str] =
    &["Texnomart Style", "Zarafshon", "LC Waikiki", "Uztex", "Artel", "Samsung", "Xiaomi", "Honor", "Baseus", "Avtech"];

/// Where the electronics brands begin in [`BRANDS`].
pub const FIRST_ELECTRONICS_BRAND: usize = 4;

/// Position of the first category of electronics in [`CATEGORIES`].
pub const FIRST_ELECTRONICS_CATEGORY: u16 = 10;

/// What is sold by the piece.
pub const ARTICLES: &[Article] = &[
    article("Футболка мужская хлопок", 1, 79, 189, Variants::Clothes),
    article("Футболка oversize", 1, 99, 229, Variants::Clothes),
    article("Erkaklar futbolkasi", 1, 69, 159, Variants::Clothes),
    article("Поло классическое", 1, 129, 259, Variants::Clothes),
    article("Рубашка офисная", 2, 149, 349, Variants::Clothes),
    article("Рубашка «Атлас» ручной работы", 2, 249, 599, Variants::Clothes),
    article("Джинсы прямые", 3, 199, 449, Variants::Clothes),
    article("Брюки карго", 3, 179, 389, Variants::Clothes),
    article("Bolalar shimi", 3, 89, 179, Variants::Clothes),
    article("Куртка зимняя", 4, 599, 1_990, Variants::Clothes),
    article("Пуховик женский", 4, 799, 2_490, Variants::Clothes),
    article("Ayollar ko'ylagi \"Bahor\"", 6, 199, 690, Variants::Clothes),
    article("Adras ko'ylak", 6, 350, 1_200, Variants::Clothes),
    article("Кроссовки беговые", 8, 299, 990, Variants::Shoes),
    article("Krossovka yozgi", 8, 199, 490, Variants::Shoes),
    article("Сандалии кожаные", 9, 159, 420, Variants::Shoes),
    article("Ремень кожаный", 15, 59, 249, Variants::One),
    article("Сумка-шоппер", 15, 49, 199, Variants::Colours),
    article("Do'ppi Chust", 15, 60, 250, Variants::One),
    article("Смартфон 6/128 ГБ", 11, 1_690, 3_490, Variants::Colours),
    article("Смартфон 8/256 ГБ", 11, 2_990, 7_990, Variants::Colours),
    article("Кнопочный телефон", 11, 199, 399, Variants::Colours),
    article("Наушники беспроводные TWS", 12, 129, 890, Variants::Colours),
    article("Quloqchin simli", 12, 25, 99, Variants::One),
    article("Чехол силиконовый", 13, 15, 79, Variants::Colours),
    article("Защитное стекло 9H", 13, 10, 49, Variants::One),
    article("Кабель USB-C 1 м", 13, 19, 89, Variants::One),
    article("Зарядное устройство 33 Вт", 13, 79, 299, Variants::One),
    article("Power Bank 20000 мА·ч", 13, 149, 490, Variants::One),
    article("Choynak elektr 1.8 l", 14, 149, 450, Variants::One),
    article("Пылесос", 14, 690, 2_490, Variants::One),
    article("Утюг паровой", 14, 199, 790, Variants::One),
    article("Вентилятор напольный", 14, 249, 690, Variants::One),
    article("Фен 2200 Вт & диффузор", 14, 169, 590, Variants::One),
];

/// What is sold by the metre or the kilogram, with its unit (position in [`UNITS`]).
pub const BY_MEASURE: &[(Article, u8)] = &[
    (article("Ткань адрас (метр)", 17, 45, 120, Variants::One), 1),
    (article("Атлас шёлковый, m", 17, 80, 250, Variants::One), 1),
    (article("Kabel UTP cat5 (metr)", 18, 3, 9, Variants::One), 1),
    (article("Провод ПВС 2×1.5 (м)", 18, 6, 15, Variants::One), 1),
    (article("Наполнитель синтепух, кг", 17, 40, 90, Variants::One), 2),
];

/// What is sold without stock.
pub const SERVICES: &[Article] = &[
    article("Подшив брюк", 19, 20, 50, Variants::One),
    article("Yetkazib berish (Toshkent)", 19, 25, 40, Variants::One),
    article("Наклейка защитного стекла", 19, 10, 30, Variants::One),
    article("Настройка смартфона", 19, 50, 150, Variants::One),
];

/// What is sold as one of several.
pub const BUNDLES: &[Article] = &[
    article("Комплект: смартфон + чехол + стекло", 20, 1_990, 5_490, Variants::One),
    article("To'plam: ko'ylak + sumka", 20, 349, 890, Variants::One),
];

/// Measurement units: name and short name.
pub const UNITS: &[(&str, &str)] = &[("Штука", "шт"), ("Метр", "м"), ("Килограмм", "кг")];

/// Clothes sizes.
pub const SIZES: &[&str] = &["XS", "S", "M", "L", "XL", "XXL"];
/// Shoe sizes.
pub const SHOE_SIZES: &[&str] = &["37", "38", "39", "40", "41", "42", "43"];
/// Colours, in the languages that shops write them in.
pub const COLOURS: &[&str] = &["Белый", "Чёрный", "Синий", "Qizil", "Yashil", "Бежевый"];
