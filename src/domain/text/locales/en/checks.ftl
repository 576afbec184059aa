# What a check of a connection says (POST /connections/{id}/check).
check_billz1_accepted = Billz 1 accepts the user name and the key.
check_billz2_company = The key opens the company { $company }.
check_billz2_accepted = The key is accepted.
check_billz2_shops = { $count ->
    [one] { $count } shop can be synchronised.
   *[other] { $count } shops can be synchronised.
}
check_billz2_currency = The company's prices are in { $currency }.
check_billz2_currency_untold = Billz does not tell the company's currency; prices without a currency are taken as the shop's.
check_shop = OpenCart answers: { $languages } languages, { $groups } customer groups, currency { $currency }.
check_shop_without_currency = OpenCart answers: { $languages } languages, { $groups } customer groups; its currency is not set.
check_shop_time_zone = The shop's time zone { $zone } is unknown to this host and to the database: UTC is used.
check_shop_no_emoji = The shop's tables cannot hold characters such as emoji: they are left out of names and descriptions.
check_pictures = Pictures can be written: { $place }.
check_pictures_none = New products get no pictures: set images.dir, or opencart.bridge_url where this service does not reach the shop's disk.
check_pictures_fault = Pictures cannot be written: { $detail }
check_fault_remote_unavailable = Billz does not answer; try again in a few minutes. { $detail }
check_fault_remote_rate_limited = Billz asks to slow down; try again in a few minutes. { $detail }
check_fault_remote_auth = Billz refuses the secret key (for Billz 1 also the user name): enter them anew, as Billz gave them. { $detail }
check_fault_remote_forbidden = The secret key lacks a right in Billz; ask Billz to give it. { $detail }
check_fault_remote_protocol = The answer of Billz cannot be read; check the address of Billz, and try again. { $detail }
check_fault_remote_rejected = Billz refused the request in its own words: { $detail }
check_fault_config_invalid = A setting does not allow this; correct what is named here: { $detail }
check_fault_target_unavailable = The shop's database does not answer; check its address, and whether it is up. { $detail }
check_fault_target_schema = The shop's database lacks a table or column; check the prefix of the tables (table_prefix), and how goods belong to sellers. { $detail }
check_fault_other = This does not work: { $detail }
