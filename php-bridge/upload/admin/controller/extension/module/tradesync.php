<?php

use Tradesync\Door;
use Tradesync\Input;
use Tradesync\Ocmod;
use Tradesync\Office;
use Tradesync\Panel;
use Tradesync\Problem;
use Tradesync\Seller;
use Tradesync\SettingsForm;
use Tradesync\Settings;
use Tradesync\Shop;
use Tradesync\Words;

/**
 * The administrator's pages (Extensions -> Modules -> tradesync, and the menu): overview, sellers, mapping, links, roll-out, settings.
 *
 * Pages hold no data of the service: they load although it is down, and scripts fetch what they show through api().
 */
class ControllerExtensionModuleTradesync extends Controller
{
    private const ROUTE = 'extension/module/tradesync';
    private const PAGES = ['overview', 'sellers', 'mapping', 'links', 'locks', 'retry', 'rollout', 'audit', 'settings'];
    /** Actions that the shop itself answers. */
    private const OWN = ['sellers', 'categories', 'products'];

    /** The page that `page` names; the settings while they are not complete. */
    public function index()
    {
        $settings = Settings::of($this->registry);
        $page = (string)($this->request->get['page'] ?? '');
        if (!in_array($page, array_merge(self::PAGES, ['seller', 'panel']), true)) {
            $page = $settings->isComplete() ? 'overview' : 'settings';
        }
        if ($page === 'settings') {
            $this->settings($settings);

            return;
        }
        if (!$settings->isComplete()) {
            $this->show($settings, $page, '', Words::all($settings->language())['problem_not_configured']);

            return;
        }
        $seller = null;
        if ($page === 'seller' || $page === 'panel') {
            $seller = $settings->sellers()->get((string)($this->request->get['seller'] ?? ''));
            if ($seller === null) {
                $this->show($settings, 'sellers', '', Words::all($settings->language())['problem_no_seller']);

                return;
            }
        }
        $content = $page === 'panel'
            ? Door::panel($this->assets(), $this->panelConfig($seller), $settings)
            : Door::office($this->assets(), $this->officeConfig($page, $seller), $settings);
        $this->show($settings, $page, $content, '', $seller === null ? '' : $seller->name);
    }

    /** One action of the administrator's pages: POST, JSON. */
    public function api()
    {
        $settings = Settings::of($this->registry);
        Door::answer($this->response, $settings->language(), function () use ($settings) {
            $action = (string)($this->request->get['do'] ?? '');
            $this->allow(!in_array($action, self::OWN, true) && (Office::ACTIONS[$action] ?? true), true);
            $in = Input::read((string)file_get_contents('php://input'));
            if (in_array($action, self::OWN, true)) {
                return $this->{'own' . ucfirst($action)}($settings, $in);
            }

            return (new Office($settings, new Shop($settings, $this->assets())))->act($action, $in);
        }, true);
    }

    /** One action of a seller's panel that the administrator has opened: POST, JSON. */
    public function panelApi()
    {
        $settings = Settings::of($this->registry);
        Door::answer($this->response, $settings->language(), function () use ($settings) {
            $action = (string)($this->request->get['do'] ?? '');
            $this->allow(Panel::ACTIONS[$action] ?? true, true);

            return $this->panelOf($settings)->act($action, Input::read((string)file_get_contents('php://input')));
        }, true);
    }

    /** A run's report of a seller as a file. */
    public function panelCsv()
    {
        $settings = Settings::of($this->registry);
        Door::csv($this->response, $settings->language(), function () use ($settings) {
            $this->allow(false, false);

            return $this->panelOf($settings);
        }, $this->request->get);
    }

    /** The OCMOD for the marketplace's page of the settings, as a package for the Extension Installer. */
    public function ocmod()
    {
        $settings = Settings::of($this->registry);
        $this->response->addHeader('Cache-Control: no-store');
        try {
            $this->allow(false, false);
            if ($settings->get('route') === '') {
                throw new Problem(Problem::BAD_INPUT, 'route');
            }
            $package = Ocmod::package($settings->get('route'));
        } catch (Problem $problem) {
            $this->response->addHeader('HTTP/1.1 403 Forbidden');
            $this->response->addHeader('Content-Type: text/plain; charset=utf-8');
            $this->response->setOutput(Words::problem($problem, $settings->language())['text']);

            return;
        }
        $this->response->addHeader('Content-Type: application/zip');
        $this->response->addHeader('Content-Disposition: attachment; filename="' . Ocmod::CODE . '.ocmod.zip"');
        $this->response->setOutput($package);
    }

    /** OpenCart's "Install": our events; rights and settings come when the settings are saved. */
    public function install()
    {
        if (!$this->user->hasPermission('modify', 'extension/extension/module')) {
            return;
        }
        $this->load->model('setting/event');
        $this->model_setting_event->deleteEventByCode('tradesync');
        $events = [
            'admin/view/common/column_left/before' => 'extension/tradesync/menu',
            'admin/view/catalog/product_list/after' => 'extension/tradesync/productList',
            'catalog/view/account/account/after' => 'extension/tradesync/accountLink',
        ];
        foreach ($events as $trigger => $action) {
            $this->model_setting_event->addEvent('tradesync', $trigger, $action);
        }
    }

    /** OpenCart's "Uninstall": everything of ours goes from the shop; the service keeps connections, links and reports. */
    public function uninstall()
    {
        if (!$this->user->hasPermission('modify', 'extension/extension/module')) {
            return;
        }
        $this->load->model('setting/event');
        $this->load->model('user/user_group');
        foreach (['tradesync', 'tradesync_page'] as $code) {
            $this->model_setting_event->deleteEventByCode($code);
        }
        foreach ($this->model_user_user_group->getUserGroups() as $group) {
            foreach (['access', 'modify'] as $type) {
                $this->permit((int)$group['user_group_id'], $type, 'extension/tradesync', false);
                $this->permit((int)$group['user_group_id'], $type, self::ROUTE, false);
            }
        }
        Settings::of($this->registry)->seal()->forget();
    }

    private function settings(Settings $settings): void
    {
        $form = new SettingsForm($settings, $this->db);
        $texts = Words::all($settings->language());
        $saved = false;
        if (($this->request->server['REQUEST_METHOD'] ?? '') === 'POST') {
            $saved = $form->read($this->request->post, $this->user->hasPermission('modify', self::ROUTE)) && $this->save($form);
        }
        // Read anew: the rows that were just written.
        $now = Settings::of($this->registry);
        $data = $form->view($saved ? $now : $settings, $texts) + [
            'saved' => $saved,
            'texts' => $texts,
            'action' => $this->link(self::ROUTE, 'page=settings'),
            'callback' => (new Shop($now, $this->assets()))->callback(),
            'ocmod' => $now->get('route') === '' ? '' : $this->link(self::ROUTE . '/ocmod'),
            'modify' => $this->user->hasPermission('modify', self::ROUTE),
            'user_groups' => $this->groups('user/user_group', 'model_user_user_group', 'getUserGroups', 'user_group_id'),
            'customer_groups' => $this->groups(
                'customer/customer_group',
                'model_customer_customer_group',
                'getCustomerGroups',
                'customer_group_id'
            ),
            'test' => Door::office($this->assets(), $this->officeConfig('test', null), $now),
        ];
        $this->show($now, 'settings', $this->load->view('extension/module/tradesync_settings', $data));
    }

    private function save(SettingsForm $form): bool
    {
        try {
            $rows = $form->rows();
        } catch (Problem $problem) {
            $form->fail($problem);

            return false;
        }
        $this->load->model('setting/setting');
        $this->load->model('setting/event');
        $this->model_setting_setting->editSetting(Settings::CODE, $rows);
        foreach ($rows as $key => $value) {
            $this->config->set($key, $value);
        }
        $group = $form->sellersGroup();
        if ($group > 0) {
            $this->permit($group, 'access', 'extension/tradesync', true);
            $this->permit($group, 'modify', 'extension/tradesync', true);
        }
        $this->model_setting_event->deleteEventByCode('tradesync_page');
        if ($form->route() !== '') {
            $trigger = 'catalog/controller/' . $form->route() . '/after';
            $this->model_setting_event->addEvent('tradesync_page', $trigger, 'extension/tradesync/marketplacePage');
        }

        return true;
    }

    /** Gives a right to a group of admin users, or takes it; never twice in the list. */
    private function permit(int $group, string $type, string $route, bool $give): void
    {
        $this->load->model('user/user_group');
        $found = $this->model_user_user_group->getUserGroup($group);
        $has = in_array($route, (array)($found['permission'][$type] ?? []), true);
        if ($give && !$has) {
            $this->model_user_user_group->addPermission($group, $type, $route);
        } elseif (!$give && $has) {
            // OpenCart's removePermission() leaves gaps in the list, which JSON then writes as an object.
            $found['permission'][$type] = array_values(array_diff($found['permission'][$type], [$route]));
            $this->model_user_user_group->editUserGroup($group, $found);
        }
    }

    private function groups(string $model, string $name, string $method, string $key): array
    {
        $this->load->model($model);

        return array_map(function ($group) use ($key) {
            return ['id' => (int)$group[$key], 'name' => $group['name']];
        }, $this->$name->$method());
    }

    private function ownSellers(Settings $settings, Input $in): array
    {
        $sellers = $settings->sellers();
        $search = $in->text('search', 100);

        return ['items' => $sellers->find($search, (int)$in->text('start', 9), 50), 'total' => $sellers->count($search)];
    }

    private function ownCategories(Settings $settings, Input $in): array
    {
        $this->load->model('catalog/category');
        if ($in->text('id', 10) !== '') {
            $one = $this->model_catalog_category->getCategory((int)$in->text('id', 10));
            $name = $one ? ($one['path'] ? $one['path'] . ' > ' : '') . $one['name'] : '';

            return $one ? [['id' => (string)$one['category_id'], 'name' => self::plain($name)]] : [];
        }
        $filter = ['filter_name' => $in->text('search', 100), 'sort' => 'name', 'order' => 'ASC', 'start' => 0, 'limit' => 30];

        return array_map(function ($one) {
            return ['id' => (string)$one['category_id'], 'name' => self::plain($one['name'])];
        }, $this->model_catalog_category->getCategories($filter));
    }

    private function ownProducts(Settings $settings, Input $in): array
    {
        $this->load->model('catalog/product');
        $search = $in->text('search', 100);
        // A size is named `123#4567`: it is shown as its product.
        $id = (int)($in->text('id', 24) ?: (ctype_digit($search) && strlen($search) < 10 ? $search : 0));
        $found = $id > 0 ? array_filter([$this->model_catalog_product->getProduct($id)]) : [];
        if ($in->text('id', 24) === '') {
            // OpenCart looks for the beginning of a name, or of a model.
            foreach (['filter_name', 'filter_model'] as $by) {
                $filter = [$by => $search, 'start' => 0, 'limit' => 20];
                $found = array_merge($found, $this->model_catalog_product->getProducts($filter));
            }
        }

        return array_values(array_map(function ($one) {
            return ['id' => (string)$one['product_id'], 'name' => self::plain($one['name']) . ' · ' . self::plain($one['model'])];
        }, array_slice(array_column($found, null, 'product_id'), 0, 20)));
    }

    private function panelOf(Settings $settings): Panel
    {
        $seller = $settings->sellers()->get((string)($this->request->get['seller'] ?? ''));
        if ($seller === null) {
            throw new Problem(Problem::NO_SELLER);
        }

        return new Panel($settings->onBehalfOf($seller));
    }

    private function allow(bool $modify, bool $post): void
    {
        $token = (string)($this->request->get['user_token'] ?? '');
        $ours = (string)($this->session->data['user_token'] ?? '');
        $allowed = $ours !== '' && hash_equals($ours, $token) && $this->user->hasPermission('access', self::ROUTE)
            && (!$modify || $this->user->hasPermission('modify', self::ROUTE))
            && (!$post || ($this->request->server['REQUEST_METHOD'] ?? '') === 'POST');
        if (!$allowed) {
            throw new Problem(Problem::FORBIDDEN_HERE);
        }
    }

    private function panelConfig(Seller $seller): array
    {
        return [
            'api' => $this->link(self::ROUTE . '/panelApi', 'seller=' . rawurlencode($seller->id)),
            'csv' => $this->link(self::ROUTE . '/panelCsv', 'seller=' . rawurlencode($seller->id)),
            'modify' => $this->user->hasPermission('modify', self::ROUTE),
        ];
    }

    private function officeConfig(string $page, ?Seller $seller): array
    {
        $pages = [];
        foreach (array_merge(self::PAGES, ['seller']) as $name) {
            $pages[$name] = $this->link(self::ROUTE, 'page=' . $name);
        }

        return [
            'page' => $page,
            'pages' => $pages,
            'api' => $this->link(self::ROUTE . '/api'),
            'panel' => $this->link(self::ROUTE, 'page=panel'),
            'panelApi' => $this->link(self::ROUTE . '/panelApi'),
            'panelCsv' => $this->link(self::ROUTE . '/panelCsv'),
            'csv' => $this->link(self::ROUTE . '/panelCsv'),
            'modify' => $this->user->hasPermission('modify', self::ROUTE),
            'connection' => (string)($this->request->get['connection'] ?? ''),
            'seller' => $seller === null ? '' : $seller->id,
            'seller_name' => $seller === null ? '' : $seller->name,
            'defaults' => Office::DEFAULTS,
        ];
    }

    private function show(Settings $settings, string $page, string $content, string $error = '', string $name = ''): void
    {
        $texts = Words::all($settings->language());
        $this->document->setTitle($texts['heading_title']);
        $tabs = [];
        foreach (self::PAGES as $one) {
            $active = $one === $page || $one === 'sellers' && in_array($page, ['seller', 'panel'], true);
            $tabs[] = ['name' => $texts['tab_' . $one], 'href' => $this->link(self::ROUTE, 'page=' . $one), 'active' => $active];
        }
        $this->response->setOutput($this->load->view('extension/module/tradesync', [
            'title' => $texts['heading_title'],
            'subtitle' => htmlspecialchars($name, ENT_QUOTES, 'UTF-8'),
            'breadcrumbs' => [
                ['text' => $texts['home'], 'href' => $this->link('common/dashboard')],
                ['text' => $texts['extensions'], 'href' => $this->link('marketplace/extension', 'type=module')],
                ['text' => $texts['heading_title'], 'href' => $this->link(self::ROUTE)],
            ],
            'tabs' => $tabs,
            'error' => $error,
            'content' => $content,
            'header' => $this->load->controller('common/header'),
            'column_left' => $this->load->controller('common/column_left'),
            'footer' => $this->load->controller('common/footer'),
        ]));
    }

    private function assets(): string
    {
        return $this->request->server['HTTPS'] ? HTTPS_CATALOG : HTTP_CATALOG;
    }

    private function link(string $route, string $query = ''): string
    {
        $token = 'user_token=' . ($this->session->data['user_token'] ?? '');

        // Url::link() escapes for HTML; scripts need the address itself.
        return html_entity_decode($this->url->link($route, $token . ($query === '' ? '' : '&' . $query), true), ENT_QUOTES, 'UTF-8');
    }

    private static function plain(string $escaped): string
    {
        return html_entity_decode(strip_tags(str_replace('&nbsp;', ' ', $escaped)), ENT_QUOTES, 'UTF-8');
    }
}
